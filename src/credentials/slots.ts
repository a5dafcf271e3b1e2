/** Lets at most so many tasks run at once. */
export interface Slots {
  /** Begins a task as soon as there is room; resolves when it has begun. The task must not reject. */
  begin(task: () => Promise<void>): Promise<void>;
  /** Resolves when nothing runs. */
  idle(): Promise<void>;
}

export function createSlots(count: number): Slots {
  const running = new Set<Promise<void>>();
  /** Those who wait for room, first come first. Waiting on what runs would leave something at each task until it ends. */
  const waiting: (() => void)[] = [];
  let taken = 0;

  /** Hands the room of a task that has ended to the first who waits. */
  function leave(): void {
    const next = waiting.shift();
    if (next === undefined) taken -= 1;
    else next();
  }

  return {
    async begin(task) {
      if (taken < count) taken += 1;
      else await new Promise<void>(resolve => waiting.push(resolve));
      const run = task().finally(() => {
        running.delete(run);
        leave();
      });
      running.add(run);
    },
    async idle() {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
