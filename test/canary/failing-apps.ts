import type { FaultEffect, Simulator } from '../../src/simulator/index.ts';

/** Apps for which the platform issues nothing, each for a reason of its own. */
export const FAILING = [
  ...(['unlisted', 'wrong', 'frozen', 'busy', 'spent', 'cut', 'cut-late'] as const),
  ...(['garbled', 'halved', 'huge', 'down', 'telltale'] as const),
] as const;

export type FailingApp = (typeof FAILING)[number];

/** Appid of an app that fails. */
export function failingAppid(app: FailingApp): string {
  return `wxfa11${FAILING.indexOf(app).toString(16).padStart(12, '0')}`;
}

/** More than any token call's answer may have. */
const HUGE_BYTES = 200_000;

const TOKEN_PATHS = ['/cgi-bin/token', '/cgi-bin/stable_token'];

/** What the platform does to each app that is to fail. What it says may repeat the secret it was sent. */
export function breakApps(simulator: Simulator, secretOf: (app: string) => string): void {
  const settings = (app: FailingApp, change: Parameters<Simulator['setAccount']>[1]): void =>
    simulator.setAccount(failingAppid(app), change);
  const fault = (app: FailingApp, effect: FaultEffect): void => {
    for (const path of TOKEN_PATHS) simulator.faults.add({ ...effect, appid: failingAppid(app), path });
  };
  settings('unlisted', { ipWhitelist: [] });
  settings('wrong', { secret: 'the account has another secret than the configuration' });
  settings('frozen', { frozenSecret: true });
  fault('busy', { kind: 'errcode', errcode: -1 });
  fault('spent', { kind: 'errcode', errcode: 45009 });
  fault('cut', { kind: 'cut' });
  fault('cut-late', { kind: 'cut', at: 'body' });
  fault('garbled', { kind: 'garbage', body: `<html>${secretOf('garbled')}</html>` });
  fault('halved', { kind: 'garbage', truncated: true });
  fault('huge', { kind: 'blob', bytes: HUGE_BYTES });
  fault('down', { kind: 'status', status: 502, body: secretOf('down') });
  const secret = secretOf('telltale');
  const words = `invalid appsecret ${secret}, secret=${encodeURIComponent(secret)}`;
  fault('telltale', { kind: 'errcode', errcode: 40125, errmsg: words });
}
