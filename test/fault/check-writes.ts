import type { Clock } from '../../src/base/clock.ts';
import type { FaultApp } from './apps.ts';
import type { Journal } from './journal.ts';
import type { Node } from './nodes.ts';

/** One user's session key and what was written to it, by one writer at a time. */
export interface WrittenKey {
  readonly app: FaultApp;
  readonly openid: string;
}

interface State extends WrittenKey {
  version: number;
  /** Acknowledged writes, oldest first. */
  readonly acknowledged: { readonly version: number; readonly at: number }[];
  /** Writes of which nobody knows whether or when they take effect. */
  readonly unsure: Set<number>;
  isWriting: boolean;
  /** The newest version that each node gave. */
  readonly given: Map<string, number>;
}

/** A write from the sending to its answer. */
export interface Write {
  /** The text to write. */
  readonly text: string;
  acknowledged(): void;
  /** Refused, or no answer came: it may stand or not, and may even come to stand later. */
  unanswered(): void;
}

/** Judges that what was acknowledged is read back. */
export interface WriteCheck {
  /** A key to read or write; keys with a write of unknown outcome are replaced by new ones. */
  key(choice: number): WrittenKey;
  /** Begins a write; undefined while another is under way. */
  beginWrite(key: WrittenKey): Write | undefined;
  /** Begins a read; what it returns takes the text that came, undefined for none. */
  beginRead(key: WrittenKey, node: Node): (text: string | undefined) => void;
  /** Judges a read after everything has come to rest. */
  checkLast(key: WrittenKey, node: Node, text: string | undefined): void;
  /** The keys that were written, newest last. */
  written(): readonly WrittenKey[];
  readonly seen: { acknowledged: number; unsure: number; reads: number };
}

/** Makes the check over some users of each app. */
export function createWriteCheck(options: {
  readonly apps: readonly FaultApp[];
  readonly usersPerApp: number;
  readonly journal: Journal;
  readonly clock: Clock;
  /** How late a change may be noticed now, in milliseconds. */
  readonly staleness: () => number;
}): WriteCheck {
  const { apps, usersPerApp, journal, clock, staleness } = options;
  const all: State[] = [];
  const seen = { acknowledged: 0, unsure: 0, reads: 0 };

  function newKey(app: FaultApp): State {
    const state: State = {
      ...{ app, openid: `user-${all.length + 1}`, version: 0 },
      ...{ acknowledged: [], unsure: new Set<number>(), isWriting: false, given: new Map() },
    };
    all.push(state);
    return state;
  }
  const keys = apps.flatMap(app => Array.from({ length: usersPerApp }, () => newKey(app)));
  const stateOf = (key: WrittenKey): State => key as State;

  function versionIn({ openid }: State, text: string | undefined): number | undefined {
    if (text === undefined) return 0;
    const [owner, version] = text.split('#');
    return owner === openid && version !== undefined ? Number(version) : undefined;
  }

  /** What must be read back at the least by who asks now: everything acknowledged before the bound of staleness. */
  function leastFor(state: State, node: Node): number {
    const until = clock.now() - staleness();
    if (node.resumedAt > until) return 0;
    return state.acknowledged.findLast(({ at }) => at <= until)?.version ?? 0;
  }

  return {
    seen,
    key(choice) {
      const index = Math.floor(choice * keys.length);
      const key = keys[index] as State;
      if (key.unsure.size === 0) return key;
      const next = newKey(key.app);
      keys[index] = next;
      return next;
    },
    beginWrite(key) {
      const state = stateOf(key);
      if (state.isWriting) return undefined;
      state.isWriting = true;
      state.version += 1;
      const { version } = state;
      return {
        text: `${state.openid}#${version}`,
        acknowledged() {
          state.isWriting = false;
          state.acknowledged.push({ version, at: clock.now() });
          seen.acknowledged += 1;
        },
        unanswered() {
          state.isWriting = false;
          state.unsure.add(version);
          seen.unsure += 1;
        },
      };
    },
    beginRead(key, node) {
      const state = stateOf(key);
      const least = leastFor(state, node);
      const before = state.given.get(node.id) ?? 0;
      seen.reads += 1;
      return text => {
        const version = versionIn(state, text);
        const where = `${state.app.name} ${state.openid} through node ${node.id}: ${text ?? 'nothing'}`;
        if (version === undefined) return journal.violated('every user their own session key', where);
        // A write of unknown outcome may overwrite later ones at any time.
        if (state.unsure.size > 0) return;
        if (version < least)
          journal.violated('no acknowledged write is lost', `${where} instead of #${least}`);
        if (version < before)
          journal.violated('never an older session key after a newer one', `${where} after #${before}`);
        state.given.set(node.id, Math.max(state.given.get(node.id) ?? 0, version));
      };
    },
    checkLast(key, node, text) {
      const state = stateOf(key);
      const version = versionIn(state, text);
      const least = state.acknowledged.at(-1)?.version ?? 0;
      const isRight = version !== undefined && (version >= least || state.unsure.has(version));
      if (!isRight)
        journal.violated(
          'no acknowledged write is lost',
          `at rest, ${state.app.name} ${state.openid} through node ${node.id}: ${text ?? 'nothing'} instead of #${least}${state.unsure.size > 0 ? ` or ${[...state.unsure].join(', ')}` : ''}`,
        );
    },
    written: () => all.filter(({ acknowledged }) => acknowledged.length > 0),
  };
}
