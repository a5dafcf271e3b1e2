import { type Accounts, createAccounts } from './accounts.ts';
import { createClock, type SimulatorClock } from './clock.ts';
import { type AccountCounters, createCounters } from './counters.ts';
import { createFaults, type Faults } from './faults.ts';
import { createMediaStore, type MediaStore } from './media.ts';
import type { Settings, SimulatorOptions } from './options.ts';
import { createDerived, type Derived } from './random.ts';
import { createRidLog, type RidLog } from './rid.ts';

/** Everything the simulated platform knows. `reset` puts it back as it was at the start. */
export interface Platform {
  readonly settings: Settings;
  readonly derived: Derived;
  clock: SimulatorClock;
  accounts: Accounts;
  /** What was asked by no known account. */
  anonymous: AccountCounters;
  faults: Faults;
  rids: RidLog;
  media: MediaStore;
  reset(): void;
}

export function createPlatform(
  settings: Settings,
  { now, onMint = () => {} }: Pick<SimulatorOptions, 'now' | 'onMint'> = {},
): Platform {
  const derived = createDerived(settings.seed);
  const fresh = () => {
    const accounts = createAccounts(derived, onMint);
    for (const account of settings.accounts) accounts.put(account);
    return {
      clock: createClock(now),
      accounts,
      anonymous: createCounters(),
      faults: createFaults(settings.seed),
      rids: createRidLog(settings.seed, settings.ridLogSize),
      media: createMediaStore(),
    };
  };
  const platform: Platform = {
    settings,
    derived,
    ...fresh(),
    reset: () => void Object.assign(platform, fresh()),
  };
  return platform;
}
