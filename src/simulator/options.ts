import { ACCOUNT_TYPES, type AccountType } from './account-types.ts';
import { fieldsOf, flagOf, listOf, numberOf, OptionError, oneOf, optional, textOf } from './checks.ts';
import { DEFAULT_QUOTAS, type QuotaOptions, type Quotas } from './quotas.ts';
import { defaultRulesOf, readUserRules, type UserOptions, type UserRules } from './users/rules.ts';

/** One account of the simulated platform. */
export interface AccountOptions {
  appid: string;
  /** The AppSecret. */
  secret: string;
  type: AccountType;
  name?: string;
  /** Addresses (exact or CIDR) that may ask for tokens. Left out or null: everyone. Empty: no one. */
  ipWhitelist?: string[] | null;
  /** What an address that is not listed is told. Default 40164. */
  unlistedIp?: 40164 | 61004 | 89501 | 89503 | 89506 | 89507;
  /** The AppSecret is frozen: no tokens, 40243. Default false. */
  frozenSecret?: boolean;
  /** The account may not get tokens: 50007 for true, or the code itself. Default false. */
  banned?: boolean | 50004 | 50007;
  /** Life of access tokens in seconds. Default 7200. */
  tokenLifeSeconds?: number;
  /** How long the previous token works beside a new one, in seconds. Default 300. */
  overlapSeconds?: number;
  /** Forced refreshes closer together than this refresh nothing, in seconds. Default 30. */
  forceSpacingSeconds?: number;
  quotas?: QuotaOptions;
  /** How its users log in. */
  users?: UserOptions;
}

/** What to change of an account: anything but its appid. */
export type AccountChange = Partial<Omit<AccountOptions, 'appid'>>;

/** What a value is that the platform made. */
export type MintedKind =
  | 'access-token'
  | 'ticket'
  | 'code'
  | 'session-key'
  | 'encrypt-key'
  | 'user-access-token'
  | 'refresh-token'
  | 'openid'
  | 'unionid'
  | 'phone-number';

/** Told of a value as it is made; of the same one more than once. */
export type OnMint = (kind: MintedKind, value: string) => void;

export interface SimulatorOptions {
  /** Address to listen on. Default 127.0.0.1. */
  host?: string;
  /** Port to listen on; 0, the default, takes any free one. */
  port?: number;
  accounts?: AccountOptions[];
  /** A caller's clock in milliseconds, to share a test's time. Default: the system clock. */
  now?: () => number;
  /** Two simulators with one seed give the same tokens for the same calls. Default `simulator`. */
  seed?: string;
  /** Waits for latency faults. Default: real timers. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Take the caller's address from the first entry of x-forwarded-for. Default false. */
  trustForwardedFor?: boolean;
  /** How many calls the rid log remembers. Default 10 000. */
  ridLogSize?: number;
  /** Told of every secret and identity that is made, in clear: for tests that search for what leaked. */
  onMint?: OnMint;
}

/** An account with every default filled in. */
export type AccountSettings = Required<Omit<AccountOptions, 'ipWhitelist' | 'quotas' | 'users'>> & {
  ipWhitelist: string[] | undefined;
  quotas: Quotas;
  users: UserRules;
};

/** Simulator options with every default filled in; `now`, `sleep` and `onMint` aside. */
export interface Settings {
  host: string;
  port: number;
  accounts: AccountSettings[];
  seed: string;
  trustForwardedFor: boolean;
  ridLogSize: number;
}

const QUOTA_KEYS = Object.keys(DEFAULT_QUOTAS);
const ACCOUNT_KEYS = [
  ...['appid', 'secret', 'type', 'name', 'ipWhitelist', 'unlistedIp', 'frozenSecret', 'banned'],
  ...['tokenLifeSeconds', 'overlapSeconds', 'forceSpacingSeconds', 'quotas', 'users'],
];
const SIMULATOR_KEYS = [
  ...['host', 'port', 'accounts', 'now', 'seed', 'sleep', 'trustForwardedFor', 'ridLogSize', 'onMint'],
];

function readWhitelist(value: unknown, name: string): string[] | undefined {
  return listOf(value, name).map((entry, i) => textOf(entry, `${name}[${i}]`));
}

function readQuotas(value: unknown, name: string, base: Readonly<Quotas>): Quotas {
  const fields = fieldsOf(value, name, QUOTA_KEYS);
  const limit = (key: Exclude<keyof Quotas, 'paths'>): number =>
    optional(fields[key], v => numberOf(v, `${name}.${key}`, { min: 0, integer: true })) ?? base[key];
  const paths = { ...base.paths };
  if (fields['paths'] !== undefined) {
    const given = fields['paths'];
    const known = typeof given === 'object' && given !== null ? Object.keys(given) : [];
    for (const [path, max] of Object.entries(fieldsOf(given, `${name}.paths`, known))) {
      paths[path] = numberOf(max, `${name}.paths["${path}"]`, { min: 0, integer: true });
    }
  }
  return {
    classicPerDay: limit('classicPerDay'),
    stablePerMinute: limit('stablePerMinute'),
    stablePerDay: limit('stablePerDay'),
    stableForcePerDay: limit('stableForcePerDay'),
    ticketPerDay: limit('ticketPerDay'),
    clearPerMonth: limit('clearPerMonth'),
    loginPerUserMinute: limit('loginPerUserMinute'),
    resetPerMinute: limit('resetPerMinute'),
    oauthPerMinute: limit('oauthPerMinute'),
    apiPerDay: limit('apiPerDay'),
    paths,
  };
}

/**
 * Reads an account, or a change to the account `base`. Throws OptionError naming what is wrong.
 * @param name how messages call the value, such as `accounts[0]`
 */
export function readAccount(value: unknown, name: string, base?: AccountSettings): AccountSettings {
  const fields = fieldsOf(value, name, ACCOUNT_KEYS);
  const read = <T>(key: string, reader: (v: unknown, name: string) => T, otherwise: T): T =>
    optional(fields[key], v => reader(v, `${name}.${key}`)) ?? otherwise;
  const seconds =
    (min: number) =>
    (v: unknown, n: string): number =>
      numberOf(v, n, { min });

  const appid = base?.appid ?? textOf(fields['appid'], `${name}.appid`);
  if (!/^[\w-]{1,64}$/.test(appid)) {
    throw new OptionError(`${name}.appid must be 1 to 64 letters, digits, "_" or "-"`);
  }
  if (fields['appid'] !== undefined && fields['appid'] !== appid) {
    throw new OptionError(`${name}.appid cannot be changed`);
  }
  const type =
    base !== undefined && fields['type'] === undefined
      ? base.type
      : oneOf(fields['type'], `${name}.type`, ACCOUNT_TYPES);
  return {
    appid,
    secret:
      base === undefined ? textOf(fields['secret'], `${name}.secret`) : read('secret', textOf, base.secret),
    type,
    name: read('name', textOf, base?.name ?? appid),
    ipWhitelist:
      fields['ipWhitelist'] === null ? undefined : read('ipWhitelist', readWhitelist, base?.ipWhitelist),
    unlistedIp: read(
      'unlistedIp',
      (v, n) => oneOf(v, n, [40164, 61004, 89501, 89503, 89506, 89507] as const),
      base?.unlistedIp ?? 40164,
    ),
    frozenSecret: read('frozenSecret', flagOf, base?.frozenSecret ?? false),
    banned: read(
      'banned',
      (v, n) => oneOf(v, n, [true, false, 50004, 50007] as const),
      base?.banned ?? false,
    ),
    tokenLifeSeconds: read('tokenLifeSeconds', seconds(1), base?.tokenLifeSeconds ?? 7200),
    overlapSeconds: read('overlapSeconds', seconds(0), base?.overlapSeconds ?? 300),
    forceSpacingSeconds: read('forceSpacingSeconds', seconds(0), base?.forceSpacingSeconds ?? 30),
    quotas: readQuotas(fields['quotas'] ?? {}, `${name}.quotas`, base?.quotas ?? DEFAULT_QUOTAS),
    users: readUserRules(
      fields['users'] ?? {},
      `${name}.users`,
      // Another type has other defaults, so that what was set for the old one goes with it.
      base?.type === type ? base.users : defaultRulesOf(type, appid),
    ),
  };
}

/** Reads the options of startSimulator. Throws OptionError naming the first one that is wrong. */
export function readOptions(options: SimulatorOptions): Settings {
  const fields = fieldsOf(options, 'options', SIMULATOR_KEYS);
  for (const key of ['now', 'sleep', 'onMint']) {
    if (fields[key] !== undefined && typeof fields[key] !== 'function') {
      throw new OptionError(`${key} must be a function`);
    }
  }
  const accounts = listOf(fields['accounts'] ?? [], 'accounts').map((account, i) =>
    readAccount(account, `accounts[${i}]`),
  );
  const seen = new Set<string>();
  for (const { appid } of accounts) {
    if (seen.has(appid)) throw new OptionError(`accounts has the appid ${appid} twice`);
    seen.add(appid);
  }
  return {
    host: optional(fields['host'], v => textOf(v, 'host')) ?? '127.0.0.1',
    port: optional(fields['port'], v => numberOf(v, 'port', { min: 0, max: 65_535, integer: true })) ?? 0,
    accounts,
    seed: optional(fields['seed'], v => textOf(v, 'seed')) ?? 'simulator',
    trustForwardedFor: optional(fields['trustForwardedFor'], v => flagOf(v, 'trustForwardedFor')) ?? false,
    ridLogSize:
      optional(fields['ridLogSize'], v => numberOf(v, 'ridLogSize', { min: 1, integer: true })) ?? 10_000,
  };
}
