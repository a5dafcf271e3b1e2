import { randomUUID } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { BridgeError } from '../../base/errors.ts';

/** Readable by everybody: callers run as other users, and a certificate is no secret. */
const MODE = 0o644;

/** What may be replaced: one certificate as PEM, or nothing yet. */
const ONE_CERTIFICATE = /^(-----BEGIN CERTIFICATE-----\r?\n[\w+/=\r\n]+-----END CERTIFICATE-----)?\s*$/;

/**
 * Puts a certificate where callers find it, making folders as needed. The file is replaced in one step, so
 * nobody ever reads half of it, and left alone when it holds just that. Throws BridgeError CONFIG_INVALID
 * when it cannot be written, or holds what is no former certificate of ours: a key, or the system's bundle.
 */
export function publishCertificate(path: string, certificate: string): void {
  const former = readIfThere(path);
  if (former === certificate) return;
  if (former !== undefined && !ONE_CERTIFICATE.test(former)) {
    throw new BridgeError('CONFIG_INVALID', `${path} holds something else than one certificate`, {
      hint: 'set gateway.certificateFile to a file of its own; what is there is not overwritten',
    });
  }
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(temporary, certificate, { flag: 'wx' });
    // The mode that writing gives is cut by the process's umask.
    chmodSync(temporary, MODE);
    renameSync(temporary, path);
  } catch (error) {
    removeIfPossible(temporary);
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown';
    throw new BridgeError(
      'CONFIG_INVALID',
      `cannot write the gateway's CA certificate to ${path} (${code})`,
      {
        cause: error,
        hint: 'set gateway.certificateFile to a file in a folder this process may write to, or listen.gatewayTls to null to do without HTTPS',
      },
    );
  }
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** The failure that led here is the one to report. */
function removeIfPossible(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {}
}
