import type { Planted } from './planted.ts';

/** Writes a secret where the configuration finds it, and returns how the configuration refers to it. */
export type Hide = (place: string, value: string) => string;

/** Keys of those who call. */
export interface Keys {
  admin: string;
  /** May do everything. */
  readonly orders: string;
  /** Is given virtual tokens. */
  readonly legacy: string;
  /** Belongs to a caller that never calls, so that it can be taken back. */
  readonly former: string;
  /** May call, as one app, once in a long while. */
  readonly limited: string;
  /** Belongs to a caller whose time is over. */
  readonly expired: string;
  /** A key like any other that belongs to nobody. */
  readonly nobody: string;
}

/** Makes the keys of a bridge's callers, the administrator's only when asked for; `at` names another bridge than the first. */
export function makeKeys({ make }: Planted, admin: boolean, at = ''): Keys {
  const key = (whose: string): string => make('key', `${whose}${at}`);
  return {
    admin: admin ? key('admin key') : '',
    orders: key('key of orders'),
    legacy: key('key of legacy'),
    former: key('key of former'),
    limited: key('key of limited'),
    expired: key('key of expired'),
    nobody: key('key of nobody'),
  };
}

const EVERYTHING = [
  ...['call', 'credential:read', 'credential:write', 'credential:report', 'session:use'],
  ...['calls:read', 'metrics:read', 'audit:read', 'operate'],
];

/** The callers to whom the keys belong, as the configuration has them. */
export function callersOf(keys: Keys, hide: Hide): readonly object[] {
  const hidden = (name: Exclude<keyof Keys, 'admin' | 'nobody'>): string => hide(`key-${name}`, keys[name]);
  return [
    { name: 'orders', keys: [hidden('orders')], scopes: EVERYTHING },
    { name: 'legacy', key: hidden('legacy'), tokens: 'virtual' },
    { name: 'former', key: hidden('former') },
    {
      ...{ name: 'limited', key: hidden('limited'), apps: ['news'] },
      rateLimit: { perSecond: 0.001, burst: 2 },
    },
    { name: 'expired', key: hidden('expired'), scopes: EVERYTHING, expires: '2020-01-01T00:00:00Z' },
  ];
}
