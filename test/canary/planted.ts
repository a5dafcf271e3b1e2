import { createHash } from 'node:crypto';
import type { MintedKind } from '../../src/simulator/index.ts';
import type { Canary } from './search.ts';

/**
 * What a planted value is: it tells in which places the value may stand. `sent` is what callers send in
 * clear and nobody may repeat: bodies, queries, bad tokens, wrong keys. `misplaced` is a secret that
 * somebody wrote into a file where none belongs. `id` is what a caller sends as the name of something: it is
 * told that there is none of this name, and so is whoever reads the log.
 */
export type CanaryKind = (typeof CANARY_KINDS)[number];

const MINTED = [
  ...(['access-token', 'ticket', 'code', 'session-key', 'encrypt-key', 'user-access-token'] as const),
  ...(['refresh-token', 'openid', 'unionid', 'phone-number'] as const),
] satisfies readonly MintedKind[];

/** Every kind; each must be planted. */
export const CANARY_KINDS = [
  ...MINTED,
  ...(['app-secret', 'key', 'seal-key', 'made-key', 's2s-secret', 'password', 'virtual-token'] as const),
  ...(['open-data', 'sent', 'misplaced', 'id'] as const),
] as const;

/** The values of one run that are to be searched for. */
export interface Planted {
  /** Makes a value of printable characters that is the same in every run, and plants it. */
  make(kind: CanaryKind, name: string, length?: number): string;
  /** Plants a value that somebody else made; planting it again does nothing. */
  add(kind: CanaryKind, name: string, value: string): string;
  all(): readonly Canary<CanaryKind>[];
}

/** Starts without any; `seed` keeps the runs apart. */
export function createPlanted(seed: string): Planted {
  const canaries = new Map<string, Canary<CanaryKind>>();
  const add: Planted['add'] = (kind, name, value) => {
    if (!canaries.has(value)) canaries.set(value, { kind, name, value });
    return value;
  };
  return {
    add,
    make(kind, name, length = 40) {
      const digest = createHash('sha512')
        .update(JSON.stringify([seed, kind, name]))
        .digest('base64url');
      return add(kind, name, digest.replaceAll(/[-_]/g, 'x').slice(0, length));
    },
    all: () => [...canaries.values()],
  };
}
