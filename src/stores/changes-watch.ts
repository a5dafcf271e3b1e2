import type { ChangeFeed } from './store.ts';

/** Tells those who keep rows in memory, or are just reading them, that another process changed them. */
export interface ChangeWatch {
  /** Calls `onChange` at every change of one of these rows, until what it resolves to is called. */
  watch(ids: readonly string[], onChange: () => void): () => void;
}

const nothing = (): void => {};

/** A watch over a feed; without one nobody is ever told. */
export function createChangeWatch(changes: ChangeFeed | undefined): ChangeWatch {
  if (changes === undefined) return { watch: () => nothing };
  const watchers = new Map<string, Set<() => void>>();

  changes.subscribe(id => {
    if (id !== undefined) for (const onChange of watchers.get(id) ?? []) onChange();
    else for (const all of watchers.values()) for (const onChange of all) onChange();
  });

  return {
    watch(ids, onChange) {
      for (const id of ids) {
        const known = watchers.get(id);
        if (known === undefined) watchers.set(id, new Set([onChange]));
        else known.add(onChange);
      }
      return () => {
        for (const id of ids) {
          const known = watchers.get(id);
          known?.delete(onChange);
          if (known?.size === 0) watchers.delete(id);
        }
      };
    },
  };
}
