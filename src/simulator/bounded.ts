/** A map that holds at most `capacity` entries and forgets the oldest first, in constant time. */
export interface BoundedMap<V> {
  get(key: string): V | undefined;
  has(key: string): boolean;
  /** Adds or replaces; replacing keeps the entry's age. */
  set(key: string, value: V): void;
  /** All entries, the oldest first. */
  values(): V[];
  readonly size: number;
}

/**
 * A ring of keys beside a Map. Deleting the first key of a plain Map over and over is not constant
 * time, because its iterator walks over the holes of what was deleted before.
 */
export function createBoundedMap<V>(capacity: number): BoundedMap<V> {
  const entries = new Map<string, V>();
  const ring: string[] = [];
  let next = 0;
  return {
    get: key => entries.get(key),
    has: key => entries.has(key),
    set(key, value) {
      if (!entries.has(key)) {
        const oldest = ring[next];
        if (oldest !== undefined) entries.delete(oldest);
        ring[next] = key;
        next = (next + 1) % capacity;
      }
      entries.set(key, value);
    },
    values: () => [...entries.values()],
    get size() {
      return entries.size;
    },
  };
}
