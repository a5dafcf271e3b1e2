import type { ValueObject } from '../credentials/credentials.ts';
import { NEVER } from './expires-in.ts';
import type { Backend, Operation } from './operation.ts';

/** Values in memory, as simply as can be, with all that was asked of them. */
export interface MemoryBackend extends Backend {
  readonly asked: Operation[];
  /** What is stored, by kind and key. */
  readonly values: Map<string, { readonly value: ValueObject; readonly expiresIn: number }>;
  /** Thrown instead of an answer while it is set. */
  failure: ((operation: Operation) => Error | undefined) | undefined;
  /** How often it was closed. */
  closed: number;
}

export function memoryBackend(): MemoryBackend {
  const backend: MemoryBackend = {
    asked: [],
    values: new Map(),
    failure: undefined,
    closed: 0,
    async perform(operation) {
      backend.asked.push(operation);
      const failure = backend.failure?.(operation);
      if (failure !== undefined) throw failure;
      const { verb, kind, key, value, expiresIn } = operation;
      const name = JSON.stringify([kind, key]);
      if (verb === 'set') backend.values.set(name, { value: value ?? {}, expiresIn });
      if (verb === 'remove') backend.values.delete(name);
      const held = verb === 'get' ? backend.values.get(name) : undefined;
      return {
        app: { platform: key.platform ?? 'weixin-mp', appid: 'wx1' },
        detail:
          held === undefined
            ? { value: null, expiresIn: null, state: 'absent', reason: null }
            : { value: held.value, expiresIn: held.expiresIn ?? NEVER, state: 'usable', reason: null },
      };
    },
    async close() {
      backend.closed += 1;
    },
  };
  return backend;
}
