import { expect, test } from 'vitest';
import { createAuditChain } from '../../../access/audit-chain.ts';
import { auditEntry } from '../../../contract/audit.ts';
import { presentEntry } from './present.ts';

const AT = Date.parse('2026-03-01T04:00:00Z');
const chain = createAuditChain('69a3b9c0-0011223344556677', 'host:1');
const row = chain.append({
  event: { action: 'read', outcome: 'done', actor: 'orders', app: { name: 'shop', appid: 'wx01' } },
  at: AT,
  since: AT - 1000,
  times: 3,
});

test('an entry is shown as it stands', () => {
  expect(auditEntry.parse(presentEntry(row))).toMatchObject({
    at: '2026-03-01T04:00:00.000Z',
    since: '2026-03-01T03:59:59.000Z',
    ...{ times: 3, actor: 'orders', app: 'shop', appid: 'wx01', node: 'host:1', user: null },
  });
});

test('one whose text was destroyed is not hidden by that', () => {
  expect(auditEntry.parse(presentEntry({ ...row, entry: '' }))).toMatchObject({
    ...{ action: 'read', actor: 'orders', appid: 'wx01', outcome: 'unreadable', times: 1 },
  });
});
