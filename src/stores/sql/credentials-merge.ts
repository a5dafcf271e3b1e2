import { type RawBuilder, sql } from 'kysely';
import { CREDENTIAL_TABLE, NEVER } from '../schema.ts';
import { allOf, type ColumnExpressions, type Incoming } from './dialect.ts';

/** The columns that a new row replaces. Each that another is reckoned from comes after it. */
const REPLACED = [
  'value',
  'expired',
  'platform',
  'appid',
  'kind',
  'epoch',
  'issued_at',
  'renew_at',
  'background',
  'fingerprint',
  'previous_value',
  'previous_fingerprint',
  'previous_expired',
] as const;

const standing = (column: string) => sql.ref(`${CREDENTIAL_TABLE}.${column}`);

/** Whether the row that stands may give way: we did not write it, and it does not end later. */
export function givesWay(incoming: Incoming): RawBuilder<unknown> {
  const [end, newEnd, never] = [standing('expired'), incoming('expired'), sql.lit(NEVER)];
  return sql`${standing('epoch')} = 0 and (${newEnd} = ${never} or (${end} <> ${never} and ${end} <= ${newEnd}))`;
}

/** Every column of the new row. */
export function replaced(incoming: Incoming): ColumnExpressions {
  return allOf(REPLACED, incoming);
}

/**
 * The new row over one of ours, with what a row from elsewhere does not know: the next epoch, so that no
 * process takes the former value for the newer one, and whose it is and when it is renewed, so that
 * background renewal does not lose it.
 */
export function overruled(incoming: Incoming): ColumnExpressions {
  const kept = (column: string) => sql`coalesce(${incoming(column)}, ${standing(column)})`;
  const epoch = standing('epoch');
  const staysPlanned = sql`${incoming('renew_at')} is null and ${standing('background')} = 1`;
  return {
    ...replaced(incoming),
    platform: kept('platform'),
    appid: kept('appid'),
    kind: kept('kind'),
    epoch: sql`case when ${epoch} = 0 or ${incoming('epoch')} > ${epoch} then ${incoming('epoch')} else ${epoch} + 1 end`,
    renew_at: sql`case when ${staysPlanned} then ${standing('renew_at')} else ${incoming('renew_at')} end`,
    background: sql`case when ${staysPlanned} then 1 else ${incoming('background')} end`,
  };
}
