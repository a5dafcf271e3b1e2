import { hash } from 'node:crypto';
import type { AuditHead, AuditRow } from '../stores/store.ts';
import type { AuditEvent } from './audit.ts';

/** What stands as the hash before the first entry of a chain. */
export const NO_HASH = '0'.repeat(64);

/** Longest texts that fit their columns. */
const ACTOR_LENGTH = 255;
const TEXT_LENGTH = 128;

/** An event about to become an entry. */
export interface AuditDraft {
  readonly event: AuditEvent;
  /** When it happened, the last time if more than once; milliseconds since the Unix epoch. */
  readonly at: number;
  /** When it happened first. */
  readonly since: number;
  readonly times: number;
  /** Name and version of the program; of a first entry. */
  readonly version?: string | undefined;
  /** Last entries of other chains, as they stood then. */
  readonly heads?: readonly AuditHead[] | undefined;
}

/** An entry as it stands in the JSON text, in this order of fields. */
export interface AuditEntry {
  readonly chain: string;
  readonly number: number;
  readonly at: number;
  readonly since?: number;
  readonly times?: number;
  readonly node: string;
  readonly action: string;
  readonly outcome: string;
  readonly actor?: string;
  readonly address?: string;
  readonly kind?: string;
  readonly app?: string;
  readonly appid?: string;
  readonly user?: string;
  readonly credential?: string;
  readonly detail?: string;
  readonly version?: string;
  readonly heads?: readonly AuditHead[];
}

/** The SHA-256 that links an entry to the one before it: of the hash before, a line feed and the entry's text in UTF-8. */
export function linkHash(previous: string, entry: string): string {
  return hash('sha256', `${previous}\n${entry}`, 'hex');
}

/** Makes the rows of one chain, each linked to the one before. */
export function createAuditChain(
  chain: string,
  node: string,
): { readonly head: AuditHead; append(draft: AuditDraft): AuditRow } {
  let head: AuditHead = { chain, number: 0, hash: NO_HASH };
  return {
    get head() {
      return head;
    },
    append({ event, at: time, since, times, version, heads }) {
      const { action, outcome, remoteAddress, kind, app, user, credential, detail } = event;
      const number = head.number + 1;
      const at = Math.floor(time);
      const actor = event.actor?.slice(0, ACTOR_LENGTH);
      const appid = app?.appid.slice(0, TEXT_LENGTH);
      const again = times > 1 ? times : undefined;
      // The order of the fields is that of AuditEntry; what is undefined is left out.
      const entry = JSON.stringify({
        ...{ chain, number, at, since: again && Math.floor(since), times: again, node, action },
        ...{ outcome: outcome.slice(0, TEXT_LENGTH), actor, address: remoteAddress, kind },
        ...{ app: app?.name, appid, user, credential },
        ...{ detail: detail?.slice(0, TEXT_LENGTH), version, heads },
      });
      const previous = head.hash;
      head = { chain, number, hash: linkHash(previous, entry) };
      return { ...head, previous, at, action, actor, appid, credential, entry };
    },
  };
}

/** Reads an entry's text. Undefined when it is not the text of an entry. */
export function readEntry(text: string): AuditEntry | undefined {
  try {
    const entry: unknown = JSON.parse(text);
    return typeof entry === 'object' && entry !== null && !Array.isArray(entry)
      ? (entry as AuditEntry)
      : undefined;
  } catch {
    return undefined;
  }
}
