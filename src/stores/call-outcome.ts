import type { CallRow } from './store.ts';

/** Whether a call did not go well, for whatever reason: an error of ours, an errcode, a status from 400, an answer cut short. */
export function hasFailed({
  failure,
  errcode = 0,
  status,
  end,
}: Pick<CallRow, 'failure' | 'errcode' | 'status' | 'end'>): boolean {
  return failure !== undefined || errcode !== 0 || status >= 400 || end !== 'whole';
}
