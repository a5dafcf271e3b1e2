import { execFileSync } from 'node:child_process';

/**
 * The words that run a command where `api.weixin.qq.com` is this machine and port 80 is free: namespaces
 * of its own for network and mounts, loopback up, and a hosts file of its own. Needs Linux with user
 * namespaces (util-linux, iproute2); undefined where that cannot be had.
 */
export function inNamespace(hostsFile: string): readonly string[] | undefined {
  const words = [
    ...['unshare', '--user', '--map-root-user', '--net', '--mount', 'sh', '-c'],
    `ip link set lo up && mount --bind '${hostsFile}' /etc/hosts && exec "$@"`,
    'sh',
  ];
  try {
    const [command = '', ...rest] = words;
    execFileSync(command, [...rest, 'true'], { stdio: 'pipe', timeout: 10_000 });
    return words;
  } catch {
    return undefined;
  }
}

/** Whether a command can be run at all: it exists and exits with 0. */
export function works(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'pipe', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

/**
 * Why a test has to be skipped, or undefined. Where everything must be present (CI) absence is a failure
 * instead, so that a missing tool cannot pass for a passed test.
 */
export function skipUnless(present: boolean, what: string): boolean {
  if (present) return false;
  if (process.env['CI'] === 'true') throw new Error(`${what} is needed for this test`);
  process.stderr.write(`SKIPPED: ${what} is not available here\n`);
  return true;
}
