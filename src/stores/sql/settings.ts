import type { SettingTable } from '../store.ts';
import type { SqlBackend } from './backend.ts';

/** `open_bridge_settings`: what the program remembers about itself. */
export function settingTable({ db, run }: SqlBackend): SettingTable {
  const get = async (name: string): Promise<string | undefined> => {
    const row = await run(() =>
      db.selectFrom('open_bridge_settings').select('value').where('name', '=', name).executeTakeFirst(),
    );
    return row?.value;
  };
  return {
    get,
    async putIfAbsent(name, value) {
      await run(() =>
        db
          .insertInto('open_bridge_settings')
          .values({ name, value })
          .onConflict(conflict => conflict.column('name').doNothing())
          .execute(),
      );
      return (await get(name)) ?? value;
    },
    async put(name, value) {
      await run(() =>
        db
          .insertInto('open_bridge_settings')
          .values({ name, value })
          .onConflict(conflict => conflict.column('name').doUpdateSet({ value }))
          .execute(),
      );
    },
  };
}
