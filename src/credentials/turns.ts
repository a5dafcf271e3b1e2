/** Runs work on the same thing one after the other, in the order it came. */
export type InTurn = <T>(key: string, work: () => Promise<T>) => Promise<T>;

/**
 * Makes writers of this process wait for each other, so that only other processes can be in their way: a
 * compare-and-set that a crowd tries at once is lost by nearly all of it, again and again.
 */
export function createTurns(): InTurn {
  const last = new Map<string, Promise<unknown>>();
  return <T>(key: string, work: () => Promise<T>): Promise<T> => {
    const turn = (last.get(key) ?? Promise.resolve()).then(work);
    const over = turn.catch(() => {});
    last.set(key, over);
    over.then(() => {
      if (last.get(key) === over) last.delete(key);
    });
    return turn;
  };
}
