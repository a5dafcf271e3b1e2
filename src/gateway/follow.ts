import type { Platform } from '../platforms/platform.ts';
import type { Call } from './call.ts';
import { HOPS_HEADER, KEY_HEADER, PLATFORM_HOST_HEADER } from './header-names.ts';
import type { Trust } from './http1/upstream-connection.ts';
import type { FollowSettings, GatewaySettings } from './settings.ts';

/**
 * The settings of following, asked anew at every call; undefined for a bridge that follows none. Which of the
 * two it is does not change while it runs: stages are chosen by it, and a call must never get the credential
 * of the one and go the way of the other.
 */
export function followOf(settings: () => GatewaySettings): (() => FollowSettings) | undefined {
  if (settings().follow === undefined) return undefined;
  return () => {
    const { follow } = settings();
    if (follow === undefined) throw new TypeError('a bridge that follows another was told to follow none');
    return follow;
  };
}

/** What the certificate of the bridge that is followed must be; undefined: what the system asks of any. */
export function followTrust({ ca }: FollowSettings, platform: Platform): Trust | undefined {
  return ca === undefined ? undefined : { ca, servername: hostOf(platform) };
}

/** Adds to a call's own headers what the bridge that is followed wants to know. */
export function addFollowHeaders(headers: string[], { key }: FollowSettings, call: Call): void {
  headers.push(
    ...[KEY_HEADER, key.reveal()],
    ...[HOPS_HEADER, String(call.hops + 1)],
    ...[PLATFORM_HOST_HEADER, hostOf(call.platform as Platform)],
  );
}

function hostOf({ id, hosts: [host] }: Platform): string {
  if (host === undefined) throw new TypeError(`platform ${id} has no host`);
  return host;
}
