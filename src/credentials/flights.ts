/** Work under way in this process, by what it is for. */
export interface Flights {
  /** Runs `work` once for all who ask under the same key at the same time. */
  shared<T>(key: string, work: () => Promise<T>): Promise<T>;
  /** Resolves when everything under way now is over, well or not. */
  idle(): Promise<void>;
}

export function createFlights(): Flights {
  const underWay = new Map<string, Promise<unknown>>();
  return {
    shared<T>(key: string, work: () => Promise<T>): Promise<T> {
      const running = underWay.get(key) as Promise<T> | undefined;
      if (running !== undefined) return running;
      const flight = work().finally(() => underWay.delete(key));
      underWay.set(key, flight);
      return flight;
    },
    async idle() {
      await Promise.allSettled(underWay.values());
    },
  };
}

/** Lets a caller stop waiting; the work itself goes on for the others. */
export async function withSignal<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  const gone = Promise.withResolvers<never>();
  const leave = (): void => gone.reject(signal.reason);
  if (signal.aborted) leave();
  signal.addEventListener('abort', leave, { once: true });
  try {
    // The race also takes the work's failure, which would otherwise be unhandled once nobody waits.
    return await Promise.race([work, gone.promise]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
