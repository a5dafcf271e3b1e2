import type { LeakDrillBody, LeakReportBody } from '../../contract/leak-drill.ts';

/** A drill and its report, for people. */
export function drillLines(drill: LeakDrillBody): string[] {
  return [
    ...headOf(drill),
    ...drill.steps.filter(({ state }) => state !== 'pending').map(stepLine),
    ...(drill.tokens.length === 0 ? [] : ['', 'tokens', ...drill.tokens.map(tokenLine)]),
    ...revokedLines(drill),
    `budget ${drill.budget.name}: ${drill.budget.used} used, ${drill.budget.left} left`,
    ...(drill.report === null ? [] : reportLines(drill.report)),
  ];
}

function headOf({
  state,
  id,
  app,
  appid,
  reason,
  startedAt,
  startedBy,
  apartSeconds,
}: LeakDrillBody): string[] {
  const what = `${app} (${appid})`;
  if (state === 'rehearsed')
    return [
      `rehearsal of a leak drill of ${what}: nothing was changed`,
      `it would refresh the token twice, ${apartSeconds} s apart`,
    ];
  return [
    `leak drill ${id} of ${what}: ${state}; begun ${startedAt} by ${startedBy ?? 'somebody unknown'}`,
    ...(reason === null ? [] : [`  ${reason}`, '  start it again within an hour and it goes on from there']),
  ];
}

function stepLine({ name, state, endedAt, outcome }: LeakDrillBody['steps'][number]): string {
  return `  ${endedAt ?? '…'}  ${name} ${state}${outcome === null ? '' : `: ${outcome}`}`;
}

function tokenLine({ fingerprint, issuedAt, endsAt, probe }: LeakDrillBody['tokens'][number]): string {
  return `  ${fingerprint}  issued ${issuedAt}, ${endsAt === null ? 'in use' : `ends ${endsAt}`}${probe === null ? '' : `, ${probe === 'refused' ? 'refused' : 'STILL TAKEN'} by the platform`}`;
}

function revokedLines({ state, revokedKeys, revokedCallers }: LeakDrillBody): string[] {
  const verb = state === 'rehearsed' ? 'would be taken back' : 'taken back';
  return [
    '',
    `caller keys ${verb}: ${revokedKeys.length === 0 ? 'none' : revokedKeys.map(({ caller, fingerprint }) => `${fingerprint} of ${caller}`).join(', ')}`,
    `virtual tokens ${verb}: ${revokedCallers.length === 0 ? 'none' : `of ${revokedCallers.join(', ')}`}`,
  ];
}

function reportLines(report: LeakReportBody): string[] {
  const { since, readers, bulk, truncated, calls, callsSince, warnings, next } = report;
  return [
    '',
    `who was shown an access_token since ${since}`,
    ...(readers === null ? ['  not told: that needs the scope audit:read'] : readerLines(readers)),
    ...(truncated ? ['  and more: ask for a later --since'] : []),
    ...(bulk ?? []).map(
      ({ action, actor, address, at }) =>
        `  ${at}  data ${action}, which carries everything out, by ${actor ?? 'somebody unknown'}${address === null ? '' : ` from ${address}`}`,
    ),
    '',
    `calls through the gateway since ${callsSince}, which show the token to nobody`,
    ...(calls.length === 0
      ? ['  none']
      : calls.map(({ caller, calls: count }) => `  ${caller ?? 'unknown caller'}: ${count}`)),
    ...(warnings.length === 0 ? [] : ['', 'mind', ...warnings.map(each => `  ${each}`)]),
    ...['', 'next', ...next.map(each => `  - ${each}`)],
  ];
}

function readerLines(readers: NonNullable<LeakReportBody['readers']>): string[] {
  if (readers.length === 0) return ['  nobody, by the audit log'];
  return readers.map(
    ({ actor, address, how, credential, first, last, times }) =>
      `  ${credential ?? 'unknown'}  ${how} by ${actor ?? 'somebody unknown'}${address === null ? '' : ` from ${address}`}, ${times === 1 ? `at ${last}` : `${times} times, ${first} to ${last}`}`,
  );
}
