import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/support/temporary.ts';
import { connectionsOf, traces } from './connections.ts';

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n';

/** A line of /proc/net/tcp or tcp6. */
function line(near: string, far: string, state: string, inode: number): string {
  return `   0: ${near} ${far} ${state} 00000000:00000000 00:00000000 00000000  1000        0 ${inode} 1 0000\n`;
}

/** A /proc in which process 10 has the child 11, each with one socket. */
function fakeProc(): string {
  const proc = temporaryFolder();
  const tcp =
    line('0100007F:A000', '0100007F:1C70', '01', 501) +
    line('00000000:1C70', '00000000:0000', '0A', 502) +
    line('0100007F:A001', '0100007F:1C70', '06', 0);
  const tcp6 =
    line('00000000000000000000000001000000:A002', '0000000000000000FFFF0000057100CB:01BB', '01', 503) +
    line('00000000000000000000000001000000:A003', '004E0224000000000000000001000000:01BB', '02', 504);
  for (const folder of ['net', '10/net', '11/net', '10/task/10', '11/task/11', '10/fd', '11/fd'])
    mkdirSync(join(proc, folder), { recursive: true });
  for (const folder of ['net', '10/net', '11/net']) {
    writeFileSync(join(proc, folder, 'tcp'), HEAD + tcp);
    writeFileSync(join(proc, folder, 'tcp6'), HEAD + tcp6);
  }
  writeFileSync(join(proc, '10/task/10/children'), '11 ');
  writeFileSync(join(proc, '11/task/11/children'), '');
  symlinkSync('socket:[501]', join(proc, '10/fd/3'));
  symlinkSync('/dev/null', join(proc, '10/fd/0'));
  symlinkSync('socket:[503]', join(proc, '11/fd/4'));
  symlinkSync('socket:[504]', join(proc, '11/fd/5'));
  return proc;
}

it('finds the far ends of a program and its children', () => {
  expect(connectionsOf(10, fakeProc())).toEqual([
    { address: '127.0.0.1', port: 7280 },
    { address: '203.0.113.5', port: 443 },
    { address: '2402:4e00:0:0:0:0:0:1', port: 443 },
  ]);
});

it('finds what was closed a moment ago, but nothing that only listens', () => {
  const found = traces(fakeProc());
  expect([...found.keys()]).toHaveLength(4);
  expect(found.get('0100007F:A001 0100007F:1C70')).toEqual([
    { address: '127.0.0.1', port: 0xa001 },
    { address: '127.0.0.1', port: 7280 },
  ]);
});

it('says so where nothing can be seen', () => {
  const nowhere = temporaryFolder();
  expect(connectionsOf(10, nowhere)).toBeUndefined();
  expect(traces(nowhere).size).toBe(0);
});
