import { fieldsOf, flagOf, numberOf, oneOf, optional, stringOf, textOf } from './checks.ts';
import { createPrng } from './random.ts';

/** What goes wrong. The first matching rule wins; `latency` and `revoke` act beside another one. */
export type FaultEffect =
  /** Waits before the call is handled, or after it, before the answer is sent. */
  | { kind: 'latency'; ms: number; when?: 'before' | 'after' }
  /**
   * Destroys the connection: `before` the call is handled (default), or after it was handled, once
   * the `headers` or half of the `body` are sent.
   */
  | { kind: 'cut'; at?: 'before' | 'headers' | 'body' }
  /** Handles the call but answers `body` (default: an HTML page), or the true answer cut in half. */
  | { kind: 'garbage'; body?: string; truncated?: boolean }
  /** Answers an errcode without handling the call. */
  | { kind: 'errcode'; errcode: number; errmsg?: string }
  /** Answers an HTTP status without handling the call. */
  | { kind: 'status'; status: number; body?: string; contentType?: string }
  /** Revokes the call's token (or, on a token endpoint, the slot's tokens) right before handling. */
  | { kind: 'revoke' }
  /** Takes the call and never answers. */
  | { kind: 'silent' }
  /** Answers, after the credential checks, a JSON account of the request as it arrived. */
  | { kind: 'echo' }
  /** Answers, after the credential checks, this many deterministic bytes. */
  | { kind: 'blob'; bytes: number };

/** When it goes wrong. */
export interface FaultScope {
  /** Only calls of this account. */
  appid?: string;
  /** Only this path, or all that begin with it when it ends in `*`. */
  path?: string;
  /** How many calls it strikes before it is gone; left out, all. */
  times?: number;
  /** Chance of striking a matching call, above 0 to 1; drawn from the seed. Default 1. */
  probability?: number;
}

export type FaultRule = FaultScope & FaultEffect;

/** A rule that is in force. */
export type ActiveFault = FaultRule & { id: string; struck: number };

/** Everything that strikes one call. */
export interface FaultPlan {
  latencyBeforeMs: number;
  latencyAfterMs: number;
  revoke: boolean;
  effect: Exclude<FaultEffect, { kind: 'latency' } | { kind: 'revoke' }> | undefined;
}

export interface Faults {
  /** Puts a rule in force; answers its id. Throws OptionError when it makes no sense. */
  add(rule: FaultRule): string;
  /** Ends one rule, or all. Answers how many ended. */
  clear(id?: string): number;
  list(): ActiveFault[];
  /** What strikes this call; counts the rules down. Undefined, nearly always, when nothing does. */
  plan(path: string, appid: string | undefined): FaultPlan | undefined;
}

/** Largest blob of the fault and of the control path: 1 GiB. */
export const MAX_BLOB_BYTES = 1024 ** 3;

const SCOPE_KEYS = ['appid', 'path', 'times', 'probability', 'kind'];
const EFFECT_KEYS: Record<FaultEffect['kind'], string[]> = {
  latency: ['ms', 'when'],
  cut: ['at'],
  garbage: ['body', 'truncated'],
  errcode: ['errcode', 'errmsg'],
  status: ['status', 'body', 'contentType'],
  revoke: [],
  silent: [],
  echo: [],
  blob: ['bytes'],
};
const KINDS = Object.keys(EFFECT_KEYS) as FaultEffect['kind'][];

/** Checks a rule from outside. `name` is how messages call it. */
export function readFault(value: unknown, name = 'fault'): FaultRule {
  const loose = fieldsOf(value, name, [...SCOPE_KEYS, ...Object.values(EFFECT_KEYS).flat()]);
  const kind = oneOf(loose['kind'], `${name}.kind`, KINDS);
  const fields = fieldsOf(value, `${name} of kind ${kind}`, [...SCOPE_KEYS, ...EFFECT_KEYS[kind]]);
  const text = (key: string): void => void optional(fields[key], v => textOf(v, `${name}.${key}`));

  text('appid');
  text('path');
  optional(fields['times'], v => numberOf(v, `${name}.times`, { min: 1, integer: true }));
  optional(fields['probability'], v => numberOf(v, `${name}.probability`, { min: Number.MIN_VALUE, max: 1 }));
  optional(fields['body'], v => stringOf(v, `${name}.body`));
  if (kind === 'latency') {
    numberOf(fields['ms'], `${name}.ms`, { min: 0 });
    optional(fields['when'], v => oneOf(v, `${name}.when`, ['before', 'after']));
  } else if (kind === 'cut') {
    optional(fields['at'], v => oneOf(v, `${name}.at`, ['before', 'headers', 'body']));
  } else if (kind === 'garbage') {
    optional(fields['truncated'], v => flagOf(v, `${name}.truncated`));
  } else if (kind === 'errcode') {
    numberOf(fields['errcode'], `${name}.errcode`, { integer: true });
    text('errmsg');
  } else if (kind === 'status') {
    numberOf(fields['status'], `${name}.status`, { min: 200, max: 599, integer: true });
    text('contentType');
  } else if (kind === 'blob') {
    numberOf(fields['bytes'], `${name}.bytes`, { min: 0, max: MAX_BLOB_BYTES, integer: true });
  }
  return { ...(value as FaultRule) };
}

function matchesPath(rule: FaultScope, path: string): boolean {
  if (rule.path === undefined) return true;
  if (rule.path.endsWith('*')) return path.startsWith(rule.path.slice(0, -1));
  return rule.path === path;
}

/** Makes an empty set of rules; chances are drawn from the seed. */
export function createFaults(seed: string): Faults {
  // Rules in the order they were added, for one account or for all (''), so that a call looks only at its own.
  const byAppid = new Map<string, Map<string, ActiveFault>>();
  const prng = createPrng(`faults ${seed}`);
  let serial = 0;

  function end(fault: ActiveFault): void {
    const key = fault.appid ?? '';
    const rules = byAppid.get(key);
    rules?.delete(fault.id);
    if (rules?.size === 0) byAppid.delete(key);
  }

  function candidates(appid: string | undefined): ActiveFault[] {
    const forAll = byAppid.get('');
    const own = appid === undefined ? undefined : byAppid.get(appid);
    const rules = [...(forAll?.values() ?? []), ...(own?.values() ?? [])];
    if (forAll !== undefined && own !== undefined) rules.sort((a, b) => Number(a.id) - Number(b.id));
    return rules;
  }

  function strikes(fault: ActiveFault, path: string): boolean {
    if (!matchesPath(fault, path)) return false;
    if (fault.probability !== undefined && prng.unit() >= fault.probability) return false;
    fault.struck += 1;
    if (fault.times !== undefined && fault.struck >= fault.times) end(fault);
    return true;
  }

  const list = (): ActiveFault[] =>
    [...byAppid.values()].flatMap(rules => [...rules.values()]).sort((a, b) => Number(a.id) - Number(b.id));

  return {
    add(rule) {
      serial += 1;
      const fault: ActiveFault = { ...readFault(rule), id: String(serial), struck: 0 };
      const key = fault.appid ?? '';
      const rules = byAppid.get(key) ?? new Map<string, ActiveFault>();
      rules.set(fault.id, fault);
      byAppid.set(key, rules);
      return fault.id;
    },
    clear(id) {
      const ending = list().filter(fault => id === undefined || fault.id === id);
      for (const fault of ending) end(fault);
      return ending.length;
    },
    list: () => list().map(fault => ({ ...fault })),
    plan(path, appid) {
      if (byAppid.size === 0) return undefined;
      const plan: FaultPlan = { latencyBeforeMs: 0, latencyAfterMs: 0, revoke: false, effect: undefined };
      let struck = false;
      for (const fault of candidates(appid)) {
        const isSide = fault.kind === 'latency' || fault.kind === 'revoke';
        if ((!isSide && plan.effect !== undefined) || !strikes(fault, path)) continue;
        struck = true;
        if (fault.kind === 'revoke') plan.revoke = true;
        else if (fault.kind !== 'latency') plan.effect = fault;
        else if (fault.when === 'after') plan.latencyAfterMs += fault.ms;
        else plan.latencyBeforeMs += fault.ms;
      }
      return struck ? plan : undefined;
    },
  };
}
