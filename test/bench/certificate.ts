import { join } from 'node:path';
import { run } from './processes.ts';

/** Files of the certificate that the TLS upstream shows. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Makes a certificate for 127.0.0.1 that signs itself, so that it is also what peers trust. */
export async function makeCertificate(directory: string): Promise<CertificateFiles> {
  const files = { certificate: join(directory, 'upstream.crt'), key: join(directory, 'upstream.key') };
  const args = ['req', '-x509', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  args.push('-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1');
  args.push('-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1');
  await run('openssl', [...args, '-keyout', files.key, '-out', files.certificate], undefined);
  return files;
}
