import { CREDENTIAL_TABLE } from '../schema.ts';
import type { Column, ColumnType, SchemaEditor } from './schema-editor.ts';

/** One step forward of the schema. Steps are never changed once released, only added to. */
interface Migration {
  readonly name: string;
  up(editor: SchemaEditor): Promise<void>;
}

const column = (name: string, type: ColumnType): Column => ({ name, type });
const optional = (name: string, type: ColumnType): Column => ({ name, type, optional: true });
const counted = (name: string, type: ColumnType): Column => ({ name, type, default: 0 });

/** All steps, oldest first. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: '0001-first',
    async up(editor) {
      await editor.createTable(
        CREDENTIAL_TABLE,
        [
          column('_id', 'varchar(512)'),
          column('value', 'text'),
          column('expired', 'bigint'),
          optional('platform', 'varchar(32)'),
          optional('appid', 'varchar(128)'),
          optional('kind', 'varchar(32)'),
          counted('epoch', 'bigint'),
          optional('issued_at', 'bigint'),
          optional('renew_at', 'bigint'),
          counted('background', 'smallint'),
          optional('fingerprint', 'varchar(32)'),
          optional('previous_value', 'text'),
          optional('previous_fingerprint', 'varchar(32)'),
          optional('previous_expired', 'bigint'),
        ],
        ['_id'],
      );
      await editor.createIndex({
        name: 'open_bridge_due',
        table: CREDENTIAL_TABLE,
        columns: ['background', 'renew_at', '_id'],
      });
      for (const name of ['fingerprint', 'previous_fingerprint'])
        await editor.createIndex({ name: `open_bridge_${name}`, table: CREDENTIAL_TABLE, columns: [name] });
      await editor.createTable(
        'open_bridge_leases',
        [column('name', 'varchar(512)'), column('holder', 'varchar(64)'), column('expires_at', 'bigint')],
        ['name'],
      );
      if (editor.locksWhatItScans)
        await editor.createIndex({
          name: 'open_bridge_leases_end',
          table: 'open_bridge_leases',
          columns: ['expires_at'],
        });
      await editor.createTable(
        'open_bridge_budgets',
        [
          column('subject', 'varchar(255)'),
          column('period', 'varchar(32)'),
          column('used', 'integer'),
          column('last_at', 'bigint'),
        ],
        ['subject', 'period'],
      );
      await editor.createTable(
        'open_bridge_failures',
        [
          column('id', 'varchar(512)'),
          column('identity', 'varchar(64)'),
          column('code', 'varchar(64)'),
          optional('errcode', 'integer'),
          column('errmsg', 'text'),
          column('error_class', 'varchar(32)'),
          optional('hint', 'text'),
          column('failures', 'integer'),
          column('failed_at', 'bigint'),
          column('retry_at', 'bigint'),
        ],
        ['id'],
      );
      await editor.createTable(
        'open_bridge_settings',
        [column('name', 'varchar(128)'), column('value', 'text')],
        ['name'],
      );
    },
  },
  {
    name: '0002-calls',
    async up(editor) {
      await editor.createTable(
        'open_bridge_usage',
        [
          column('day', 'varchar(10)'),
          column('caller', 'varchar(255)'),
          column('appid', 'varchar(128)'),
          column('calls', 'bigint'),
          column('errors', 'bigint'),
          column('refused', 'bigint'),
          column('replayed', 'bigint'),
          column('request_bytes', 'bigint'),
          column('answer_bytes', 'bigint'),
        ],
        ['day', 'caller', 'appid'],
      );
    },
  },
  {
    // Indexes of a table of calls that is not made any more; databases know the step by its name.
    name: '0003-calls-in-order',
    async up() {},
  },
  {
    // Users make rows by the million, most of which are never renewed or looked up by a fingerprint.
    name: '0004-users',
    async up(editor) {
      for (const name of ['due', 'fingerprint', 'previous_fingerprint'])
        await editor.dropIndex(CREDENTIAL_TABLE, `open_bridge_${name}`);
      await editor.createIndex({
        name: 'open_bridge_due',
        table: CREDENTIAL_TABLE,
        columns: ['renew_at', '_id'],
        only: { column: 'background', is: 1 },
      });
      await editor.createIndex({
        name: 'open_bridge_end',
        table: CREDENTIAL_TABLE,
        columns: ['expired'],
        only: { column: 'background', is: 0 },
      });
      for (const name of ['fingerprint', 'previous_fingerprint'])
        await editor.createIndex({
          name: `open_bridge_${name}`,
          table: CREDENTIAL_TABLE,
          columns: [name],
          only: { column: name, is: 'not null' },
        });
      await editor.createTable(
        'open_bridge_ephemeral',
        [column('name', 'varchar(512)'), column('value', 'text'), column('expires_at', 'bigint')],
        ['name'],
      );
      await editor.createIndex({
        name: 'open_bridge_ephemeral_end',
        table: 'open_bridge_ephemeral',
        columns: ['expires_at'],
      });
    },
  },
  {
    name: '0005-audit',
    async up(editor) {
      await editor.createTable(
        'open_bridge_audit',
        [
          column('chain', 'varchar(32)'),
          column('number', 'bigint'),
          column('previous', 'varchar(64)'),
          column('hash', 'varchar(64)'),
          column('at', 'bigint'),
          column('action', 'varchar(32)'),
          optional('actor', 'varchar(255)'),
          optional('appid', 'varchar(128)'),
          optional('credential', 'varchar(32)'),
          column('entry', 'text'),
        ],
        ['chain', 'number'],
      );
      await editor.createIndex({
        name: 'open_bridge_audit_time',
        table: 'open_bridge_audit',
        columns: ['at', 'chain', 'number'],
      });
      await editor.createIndex({
        name: 'open_bridge_audit_credential',
        table: 'open_bridge_audit',
        columns: ['credential', 'at', 'chain', 'number'],
        only: { column: 'credential', is: 'not null' },
      });
      await editor.createTable(
        'open_bridge_audit_anchors',
        [
          column('chain', 'varchar(32)'),
          column('number', 'bigint'),
          column('hash', 'varchar(64)'),
          column('at', 'bigint'),
        ],
        ['chain'],
      );
    },
  },
  {
    // In the place of a row for each call, which cost most of what the call log did. Where there is such a
    // table, it is left to nodes of the former version.
    name: '0006-call-batches',
    async up(editor) {
      await editor.createTable('open_bridge_call_batches', [
        column('id', 'serial'),
        column('first_seqid', 'varchar(64)'),
        column('last_seqid', 'varchar(64)'),
        column('calls', 'integer'),
        column('packed', 'text'),
      ]);
      // Knows a batch that is sent again, and has all that look-ups and the count need.
      await editor.createIndex({
        name: 'open_bridge_call_batches_range',
        table: 'open_bridge_call_batches',
        columns: ['last_seqid', 'first_seqid', 'calls'],
        unique: true,
      });
    },
  },
];
