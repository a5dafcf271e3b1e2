import type { Clock } from '../../base/clock.ts';
import type { ConfigCheck } from '../../config/load.ts';
import type { Settings } from '../../config/settings.ts';
import type { App, UpstreamId } from '../../platforms/platform.ts';
import type { Upstream } from '../../platforms/upstream.ts';
import type { SchemaVersion } from '../../stores/sql/schema-version.ts';
import type { ServerInspection } from '../../stores/sql/server-inspection.ts';
import type { Store, StoredTextTable } from '../../stores/store.ts';
import type { Processes } from './processes.ts';
import type { Reach } from './reach.ts';
import type { Wire } from './wire.ts';

/** `warn` works but deserves a look; `fail` does not work; `skipped` was not looked at, and why is said. */
export type Status = 'ok' | 'warn' | 'fail' | 'skipped';

/** What a check has to say of one thing. Texts are for people and hold no secret. */
export interface Finding {
  /** What was looked at, such as `shop: secret`. */
  readonly name: string;
  readonly status: Status;
  /** What was found, in one line. */
  readonly found: string;
  /** What to do, or what to know, line by line. */
  readonly advice?: string | undefined;
}

/** One thing that can be wrong. Checks throw nothing: what they cannot find out is a finding too. */
export interface Check {
  readonly name: string;
  /** What must be there before the check makes sense. */
  readonly needs: 'nothing' | 'settings' | 'platform';
  run(exam: Examination): Promise<readonly Finding[]>;
}

/** What was asked for on the command line. */
export interface DoctorOptions {
  readonly config: string;
  /** Name or appid of the one app to look at. */
  readonly app?: string | undefined;
  /** Ask the platform nothing. */
  readonly offline: boolean;
  /** Ask also where that costs something: a classic token, or a message to an administrator. */
  readonly mint: boolean;
  /** Control API of the running bridge, when it is not where the configuration says. */
  readonly url?: string | undefined;
  /** A program to watch while it runs. */
  readonly command: readonly string[];
}

/** Everything of the outside world that checks touch. */
export interface World {
  readonly clock: Clock;
  readonly random: () => number;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly instance: string;
  /** User id of this process; undefined where there are none. */
  readonly uid: number | undefined;
  readonly wire: Wire;
  readonly processes: Processes;
  /** Longest wait for one answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** The database as far as it can be used without changing its schema. */
export interface Database {
  readonly version: SchemaVersion;
  /** What the user of a server may do; undefined for a file. */
  readonly server: Omit<ServerInspection, 'store'> | undefined;
  /** What is stored, as it is stored. */
  readonly texts: StoredTextTable;
  /** Opens sealed values; undefined when the schema is not up to date or the user may not do what it does. */
  readonly store: Store | undefined;
  close(): Promise<void>;
}

/** One run of the doctor: what is known so far, and what checks share so that nothing is asked twice. */
export interface Examination {
  readonly options: DoctorOptions;
  readonly world: World;
  readonly config: ConfigCheck;
  /** Where the control API of a running bridge should be; undefined when nothing tells. */
  readonly controlUrl: string | undefined;
  readonly upstream: Upstream;
  /** For checks that need it: throws TypeError when the configuration cannot be used. */
  settings(): Settings;
  /** The apps to look at. */
  apps(): readonly App[];
  /** Undefined while there is no file, or nothing but memory; rejects with BridgeError when it cannot be used. */
  database(): Promise<Database | undefined>;
  /** The API hosts that the apps to look at use; without apps, WeChat's. */
  upstreams(): readonly UpstreamId[];
  /** The way to an API host of the configuration, tried once. */
  reach(upstream: UpstreamId): Promise<Reach>;
  /** Whether a bridge answers at `controlUrl`. */
  bridgeRuns(): Promise<boolean>;
  /** Keeps a value out of everything that is printed from now on. */
  hide(secret: string): void;
  /** The address this machine goes out with, once the platform has told it. */
  egress: string | undefined;
}

/** A finding that all is well. */
export function ok(name: string, found: string, advice?: string): Finding {
  return { name, status: 'ok', found, advice };
}

/** A finding that deserves a look. */
export function warn(name: string, found: string, advice?: string): Finding {
  return { name, status: 'warn', found, advice };
}

/** A finding that something does not work. */
export function fail(name: string, found: string, advice?: string): Finding {
  return { name, status: 'fail', found, advice };
}

/** A finding that was not made, and why. */
export function skipped(name: string, found: string, advice?: string): Finding {
  return { name, status: 'skipped', found, advice };
}
