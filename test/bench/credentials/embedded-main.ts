/** Measures `getSessionKey` of the library, with the bridge in this process. */
import { cpuUsage, memoryUsage } from 'node:process';
import { type Act, type Measured, measure } from './drive.ts';
import { loadPart } from './program.ts';
import { anyUsers, DCLOUD_APPID, hotUsers, PLATFORM } from './users.ts';

/** What to measure. */
export interface EmbeddedSettings {
  /** Folder of the compiled program. */
  readonly dist: string;
  readonly config: string;
  readonly rows: number;
  /** `memory`: users asked for a moment ago. `store`: every answer is read from the database. */
  readonly from: 'memory' | 'store';
  readonly lanes: number;
  readonly seconds: number;
}

/** A value in memory is asked of the store again after a second; a clock that leaps makes every one that old. */
const LEAP_MS = 1001;

async function main({ dist, config, rows, from, lanes, seconds }: EmbeddedSettings): Promise<Measured> {
  const { createBridge } = await loadPart(dist, 'common');
  const { systemClock } = await loadPart(dist, 'clock');
  let ahead = 0;
  const clock = { ...systemClock, now: (): number => systemClock.now() + ahead };
  const bridge = await createBridge({ config, clock });
  const getAny = (openids: readonly string[]): Act => {
    let turn = 0;
    return async () => {
      if (from === 'store') ahead += LEAP_MS;
      const openid = openids[turn++ % openids.length];
      const value = await bridge.getSessionKey({ dcloudAppid: DCLOUD_APPID, platform: PLATFORM, openid });
      if (value === null) throw new Error('a stored session key was not found');
    };
  };
  const acts = Array.from({ length: lanes }, (_, lane) =>
    getAny(from === 'memory' ? hotUsers(rows) : anyUsers(rows, rows < lanes ? 0 : lane, lanes)),
  );
  const measured = await measure({
    lanes: acts,
    seconds,
    elsewhere: false,
    cpuMs() {
      const { user, system } = cpuUsage();
      return (user + system) / 1000;
    },
    rssMib: () => memoryUsage.rss() / 2 ** 20,
  });
  await bridge.close();
  return measured;
}

process.stdout.write(JSON.stringify(await main(JSON.parse(process.argv[2] ?? '') as EmbeddedSettings)));
