import { changeMessages, createListeners, REVALIDATE_MS, readChange } from '../changes.ts';
import type { ChangeFeed } from '../store.ts';
import type { RedisLink } from './link.ts';

/** Where bridges tell each other of changes. */
export const CHANNEL = 'open-bridge:changes';

/**
 * A change feed over publish and subscribe. Redis keeps no message for those who are not connected, so a
 * connection that is made anew means that anything may have changed. The link is closed by its owner.
 */
export function createRedisChanges(link: RedisLink, sender: string): ChangeFeed {
  const { subscribe, tell } = createListeners();
  link.subscribe(
    CHANNEL,
    message => {
      const change = readChange(sender, message);
      if (change !== undefined) tell(change.id);
    },
    () => tell(undefined),
  );
  return {
    boundMs: REVALIDATE_MS,
    subscribe,
    publish(ids) {
      if (!link.isReady()) return;
      // Whoever misses it looks at the store within `boundMs` all the same; the guard tells of outages.
      for (const message of changeMessages(sender, ids)) link.publish(CHANNEL, message).catch(() => {});
    },
    close: async () => {},
  };
}
