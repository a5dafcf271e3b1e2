import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { everythingAbout } from '../../test/support/canary.ts';
import { Secret } from '../base/secret.ts';
import { serverFault, serverKind, serverOf } from './database.ts';

describe('the URL of a database server', () => {
  test.each([
    ['postgres://bridge:pw@db.example:6432/bridge', 'db.example:6432/bridge', 10],
    ['postgresql://db.example/bridge?sslmode=verify-full&pool=25', 'db.example:5432/bridge', 25],
    ['postgres://bridge@%2Fvar%2Frun/bridge', '%2Fvar%2Frun:5432/bridge', 10],
    ['postgres://bridge@localhost/bridge?host=/var/run/postgresql', '/var/run/postgresql/bridge', 10],
    ['mysql://root@127.0.0.1/test?pool=1', '127.0.0.1:3306/test', 1],
    ['mariadb://u:p@[::1]:3307/test?ssl=no-verify', '[::1]:3307/test', 10],
  ])('%s', (text, name, connections) => {
    const kind = serverKind(text);
    expect(serverFault(text)).toBeUndefined();
    if (kind === undefined) throw new TypeError('no server');
    const server = serverOf(kind, new Secret(text));
    expect(server).toMatchObject({ name, connections });
    expect(server.url.searchParams.has('pool')).toBe(false);
  });

  test.each([
    ['postgres:bridge', /^must be postgres:\/\/USER:PASSWORD@HOST:PORT\/DATABASE, with special/],
    ['postgres://u:CANARY@h:port/d', /^must be postgres:/],
    ['postgres://u:CAN?ARY@h/d', /^must be postgres:/],
    ['postgres://u:1?CANARY@h/d', /must name one database/],
    ['postgres://u:1/CANARY@h/d', /must name one database/],
    ['postgres://u:CAN%ARY@h/d', /write a percent sign as %25/],
    ['postgres://u:1#CANARY@h/d', /must have no "#"/],
    ['mysql://u:CANARY@h', /must name one database after the host: mysql:/],
    ['mysql://u:CANARY@h/', /must name one database/],
    ['mysql://u:CANARY@h/a/b', /must name one database/],
    ['mysql:///d', /has no host: mysql:/],
    ['mysql://u@h/d?rowsAsArray=true', 'has a parameter that is none of: pool, ssl, sslrootcert, socketPath'],
    ['postgres://u@h/d?CANARY=1', /^has a parameter that is none of: pool, sslmode/],
    ...['ssl=true', 'ssl=x', 'sslrootcert=/ca.crt'].map((tls): [string, string] => [
      `mysql://u@10.0.0.1/d?${tls}`,
      'must have the name of the server and not its address where ssl is to verify it',
    ]),
    ['mysql://u@[::1]/d?ssl=true', /name of the server/],
    ...['0', '201', '1e1', '', '-1'].map((pool): [string, string] => [
      `mysql://u@h/d?pool=${pool}`,
      'must have a pool of 1 to 200 connections',
    ]),
    ['sqlite:x', /must be a URL that begins with/],
  ])('%s is refused', (text, fault) => {
    expect(serverFault(text)).toMatch(fault);
    expect(serverFault(text)).not.toMatch(/CAN|ARY/);
  });

  test('a password is quoted by no fault and is in no name, whatever is in it', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.boolean(), (salt, encode) => {
        const password = `Zq9${salt}Zq9`;
        const text = `postgres://u:${encode ? encodeURIComponent(password) : password}@db.example/bridge`;
        const fault = serverFault(text);
        if (encode) expect(fault).toBeUndefined();
        if (fault === undefined) {
          const { name, url } = serverOf('postgres', new Secret(text));
          if (encode) expect(decodeURIComponent(url.password)).toBe(password);
          if (encode) expect(name).toBe('db.example:5432/bridge');
        } else {
          expect(fault).not.toContain('Zq9');
        }
      }),
      { numRuns: 500 },
    );
  });

  test('one that has a fault after all is refused without being shown', () => {
    try {
      serverOf('mysql', new Secret('postgres://u:CANARY@h/d'));
      expect.unreachable();
    } catch (error) {
      expect(everythingAbout(error)).not.toContain('CANARY');
    }
  });
});
