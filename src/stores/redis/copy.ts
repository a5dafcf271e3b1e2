import { BridgeError } from '../../base/errors.ts';
import { previousContext, type Sealer, sealedWith } from '../sealing.ts';
import type { CredentialRow } from '../store.ts';

/**
 * How long a copy may be read, and so how far behind a reader can be when the word to remove it was lost:
 * a tenth of the 300 s for which the platform honours a token after a newer one.
 */
export const COPY_LIFE_MS = 30_000;

/** A later version that writes other fields takes another number, so that neither misreads the other's. */
const VERSION = 1;

interface CopyText {
  readonly version: typeof VERSION;
  readonly installation: string;
  readonly filledAt: number;
  /** With null for Infinity, which JSON does not have. */
  readonly expiresAt: number | null;
  readonly row: Partial<CredentialRow>;
}

/** Makes and reads copies of rows. */
export interface CopyCodec {
  /** The copy of a row whose values are open. */
  seal(row: CredentialRow): string;
  /** The row, its values open; undefined for what is no copy of it, too old, or of another installation. */
  open(text: string, id: string): CredentialRow | undefined;
  /** A row as the database has it, with its values open. Throws BridgeError SEAL_BROKEN when they do not open. */
  opened(row: CredentialRow): CredentialRow;
}

/**
 * Copies are sealed whole, so that whoever writes to Redis can make none: not a value, not an epoch, not an
 * end. `installation` keeps apart those who share a Redis but not a database.
 */
export function createCopyCodec(options: {
  readonly sealer: Sealer;
  readonly installation: string;
  readonly now: () => number;
}): CopyCodec {
  const { sealer, installation, now } = options;
  return {
    seal(row) {
      const text: CopyText = {
        version: VERSION,
        installation,
        filledAt: now(),
        expiresAt: Number.isFinite(row.expiresAt) ? row.expiresAt : null,
        row,
      };
      return sealer.seal(JSON.stringify(text), contextOf(row.id));
    },
    open(text, id) {
      // The sealer lets pass what was never sealed.
      if (sealedWith(text) === undefined) return undefined;
      try {
        const copy = JSON.parse(sealer.open(text, contextOf(id))) as CopyText;
        const isOurs = copy.version === VERSION && copy.installation === installation && copy.row.id === id;
        // Redis ends copies by itself; one that was kept aside and put back is not as young as it looks.
        return isOurs && Math.abs(now() - copy.filledAt) <= COPY_LIFE_MS ? rowOf(copy) : undefined;
      } catch (error) {
        if (error instanceof BridgeError || error instanceof SyntaxError) return undefined;
        throw error;
      }
    },
    opened: row => ({
      ...row,
      value: sealer.open(row.value, row.id),
      previous: row.previous && {
        ...row.previous,
        value: sealer.open(row.previous.value, previousContext(row.id)),
      },
    }),
  };
}

/** Whether two rows are of the same writing. Their values may differ by their seals. */
export function isSameWriting(a: CredentialRow, b: CredentialRow): boolean {
  return (
    a.epoch === b.epoch &&
    a.fingerprint === b.fingerprint &&
    a.issuedAt === b.issuedAt &&
    a.expiresAt === b.expiresAt
  );
}

function contextOf(id: string): string {
  return `${id}#redis`;
}

/** Fields that were undefined are missing in JSON. */
function rowOf({ row, expiresAt }: CopyText): CredentialRow {
  return {
    id: row.id ?? '',
    value: row.value ?? '',
    expiresAt: expiresAt ?? Number.POSITIVE_INFINITY,
    platform: row.platform,
    appid: row.appid,
    kind: row.kind,
    epoch: row.epoch ?? 0,
    issuedAt: row.issuedAt,
    renewAt: row.renewAt ?? undefined,
    background: row.background ?? false,
    fingerprint: row.fingerprint,
    previous: row.previous,
  };
}
