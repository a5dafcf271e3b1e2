export type { AccountType } from './account-types.ts';
export { OptionError } from './checks.ts';
export type { SimulatorClock } from './clock.ts';
export type { AccountCounters, SimulatorCounters } from './counters.ts';
export type { ActiveFault, FaultEffect, FaultRule, FaultScope } from './faults.ts';
export type { AccountChange, AccountOptions, MintedKind, OnMint, SimulatorOptions } from './options.ts';
export type { QuotaOptions } from './quotas.ts';
export type { RidRecord } from './rid.ts';
export { type Simulator, type SimulatorUsers, startSimulator } from './simulator.ts';
export type { SimulatorState } from './state.ts';
export type { TicketType } from './tickets.ts';
export type { SlotKind } from './token-slots.ts';
export type { CodeUse } from './users/codes.ts';
export type { OpenData } from './users/open-data.ts';
export type { UserOptions, UserRules } from './users/rules.ts';
export type {
  CodeOptions,
  IssuedCode,
  LatestUserKey,
  LatestUserKeyOptions,
  OpenDataOptions,
  UserChange,
  UserChoice,
} from './users/user-side.ts';
export type { UserView } from './users/view.ts';
export type { AccountView, SimulatorView, TokenView } from './views.ts';
