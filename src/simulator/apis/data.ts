import type { JsonObject } from '../answers.ts';
import { type BoundedMap, createBoundedMap } from '../bounded.ts';

const REMEMBERED = 10_000;

export interface Tag {
  id: number;
  name: string;
  count: number;
}

/** What an account has stored through the APIs. */
export interface AccountData {
  menu: JsonObject | undefined;
  conditionalMenus: Map<number, JsonObject>;
  tags: Map<number, Tag>;
  /** What /cgi-bin/shorten/gen was given, by short key. */
  shortened: BoundedMap<{ long_data: string; create_time: number; expire_seconds: number }>;
  /** Grows by one with every message, menu or link made, to tell them apart. */
  serial: number;
}

export function createAccountData(): AccountData {
  return {
    menu: undefined,
    conditionalMenus: new Map(),
    tags: new Map(),
    shortened: createBoundedMap(REMEMBERED),
    serial: 0,
  };
}
