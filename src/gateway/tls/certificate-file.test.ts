import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { publishCertificate } from './certificate-file.ts';

const pem = (bytes: number): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.alloc(bytes, bytes).toString('base64')}\n-----END CERTIFICATE-----\n`;
const ONE = pem(30);
const OTHER = pem(60);

describe('publishCertificate', () => {
  test('makes the folders and a file that everybody can read, whatever the umask', () => {
    const path = join(temporaryFolder(), 'app', 'cert', 'certificate.crt');
    const umask = process.umask(0o077);
    try {
      publishCertificate(path, ONE);
    } finally {
      process.umask(umask);
    }
    expect(readFileSync(path, 'utf8')).toBe(ONE);
    expect(statSync(path).mode & 0o777).toBe(0o644);
  });

  test('replaces another content, and leaves the same alone', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'ca.crt');
    for (const former of ['', OTHER]) {
      writeFileSync(path, former);
      publishCertificate(path, ONE);
      expect(readFileSync(path, 'utf8')).toBe(ONE);
    }
    utimesSync(path, 1, 1);
    const { ino } = statSync(path);
    publishCertificate(path, ONE);
    expect(statSync(path)).toMatchObject({ ino, mtimeMs: 1000 });
    expect(readdirSync(folder)).toEqual(['ca.crt']);
  });

  test.each([
    ['a seal key', 'c2VhbCBrZXk='],
    ['the system’s bundle', ONE + OTHER],
    ['a certificate with its key', `${ONE}-----BEGIN PRIVATE KEY-----\n`],
  ])('does not overwrite %s', (_what, content) => {
    const path = join(temporaryFolder(), 'file');
    writeFileSync(path, content);
    expect(() => publishCertificate(path, ONE)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining(path) }),
    );
    expect(readFileSync(path, 'utf8')).toBe(content);
  });

  test('says what cannot be written and how to mend it, and leaves nothing behind', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'taken', 'inner'), { recursive: true });
    for (const path of [join(folder, 'file', 'ca.crt'), join(folder, 'taken')]) {
      expect(() => publishCertificate(path, ONE)).toThrow(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          message: expect.stringContaining(path),
          hint: expect.stringContaining('gateway.certificateFile'),
        }),
      );
    }
    expect(readdirSync(folder).sort()).toEqual(['file', 'taken']);
  });

  test.skipIf(process.getuid?.() === 0)('reports a folder that may not be written to', () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o500);
    expect(() => publishCertificate(join(folder, 'ca.crt'), ONE)).toThrow('EACCES');
    chmodSync(folder, 0o700);
  });
});
