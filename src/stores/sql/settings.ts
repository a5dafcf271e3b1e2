import type { SettingTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';
import { allOf } from './dialect.ts';

/** `open_bridge_settings`: what the program remembers about itself. */
export function settingTable({ db, dialect, run, read }: SqlBackend): SettingTable {
  const get = async (name: string): Promise<string | undefined> => {
    const row = await read(() =>
      db.selectFrom('open_bridge_settings').select('value').where('name', '=', name).executeTakeFirst(),
    );
    return row?.value;
  };
  return {
    get,
    async putIfAbsent(name, value) {
      await run(() =>
        dialect.insertNew(db.insertInto('open_bridge_settings').values({ name, value }), ['name']),
      );
      return (await get(name)) ?? value;
    },
    async put(name, value) {
      await run(() =>
        db
          .insertInto('open_bridge_settings')
          .values({ name, value })
          .modifyEnd(dialect.orUpdate(['name'], incoming => allOf(['value'], incoming)))
          .execute(),
      );
    },
  };
}
