import type { Clock } from '../../src/base/clock.ts';
import type { FaultRule, Simulator } from '../../src/simulator/index.ts';
import type { FaultApp } from './apps.ts';
import type { Dice } from './dice.ts';
import type { Journal } from './journal.ts';
import type { Load } from './load.ts';
import type { Node, Nodes } from './nodes.ts';
import type { TokenLedger } from './token-ledger.ts';

/** A lease that stands in the database. */
export interface LeaseRow {
  readonly name: string;
  readonly holder: string;
}

/** What injections act on. */
export interface World {
  readonly simulator: Simulator;
  readonly nodes: Nodes;
  readonly ledger: TokenLedger;
  readonly journal: Journal;
  readonly load: Load;
  readonly apps: readonly FaultApp[];
  readonly clock: Clock;
  /** Leases as the database has them; rejects while it is away. */
  leases(): Promise<readonly LeaseRow[]>;
  /** Told when a stopped node goes on. */
  onResume(node: Node): void;
}

/** One way to break something, and to mend it again before it resolves. */
export type Injection = (world: World, dice: Dice) => Promise<void>;

/** Injections by name. */
export type Injections = Readonly<Record<string, Injection>>;

/** Lets a rule strike for a while, and notes it as trouble with an app's tokens if it is. */
export async function strike(
  { simulator, journal, clock }: World,
  { rule, ms, troubles }: { readonly rule: FaultRule; readonly ms: number; readonly troubles?: FaultApp },
): Promise<void> {
  const end = troubles && journal.trouble('tokens', troubles.appid);
  const id = simulator.faults.add(rule);
  await clock.sleep(ms);
  simulator.faults.clear(id);
  end?.();
}
