import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, onTestFinished, test } from 'vitest';
import { SHOP } from '../support/bridge.ts';
import { describeOn, postgresServer } from '../support/database-servers.ts';
import { makeNextVersion, NEXT } from '../support/next-version.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { runIn } from './command.fixture.ts';
import { type RollingNode, startCluster, startTraffic } from './rolling.fixture.ts';

/** A database of the running test's own. */
interface Database {
  /** Its `storage.database`. */
  readonly setting: string;
  /** Runs a statement, as an operator does. */
  run(statement: string): Promise<unknown>;
}

/** Lines of trouble in what the nodes printed. */
function troubles(nodes: readonly RollingNode[]): readonly string[] {
  return nodes.flatMap(({ served }) =>
    served
      .output()
      .split('\n')
      .filter(line => /"level":"(warn|error)"/.test(line)),
  );
}

function rollingOn(make: () => Promise<Database>): void {
  test('every node is restarted, twice round, without one failed call', async () => {
    const { setting } = await make();
    const cluster = await startCluster(setting);
    const traffic = startTraffic(cluster);
    await traffic.more(20);
    for (const slot of [0, 1, 2, 0, 1, 2]) {
      await cluster.replace(slot);
      await traffic.more(20);
    }
    await traffic.stop();
    expect(traffic.failed).toEqual([]);
    expect(cluster.balancer.refused).toBe(0);
    expect(traffic.calls).toBeGreaterThan(2000);
    expect(cluster.simulator.counters(SHOP.appid).stable.issued).toBe(1);
  }, 240_000);

  test('every node is upgraded to a version with a newer schema and taken back, without one failed call', async () => {
    const { setting, run } = await make();
    const cluster = await startCluster(setting);
    const next = makeNextVersion(temporaryFolder());
    const old = [...cluster.nodes];
    const traffic = startTraffic(cluster);
    await traffic.more(20);
    for (const slot of [0, 1, 2]) {
      await cluster.replace(slot, next);
      expect(cluster.nodes[slot]?.served.output()).toContain(`"version":"${NEXT.version}"`);
      // Those of the former version go on working on the newer schema.
      await traffic.more(20);
    }
    const upgraded = [...cluster.nodes];

    // Back to the former version there is no way by itself, and a start says so.
    const former = await runIn(cluster.folder)('serve', '--config', 'open-bridge.json');
    expect(former.code).toBe(1);
    expect(former.err).toContain(`newer version of this program (${NEXT.step})`);
    expect(former.err).toContain('docs/upgrading.md has the way back');
    await run(`delete from open_bridge_migrations where name = '${NEXT.step}'`);
    await cluster.replace(0);
    await traffic.more(20);
    // And forward again: what is there of the step already is no obstacle.
    await cluster.replace(0, next);
    await traffic.more(20);

    await traffic.stop();
    expect(traffic.failed).toEqual([]);
    expect(cluster.balancer.refused).toBe(0);
    expect(cluster.simulator.counters(SHOP.appid).stable.issued).toBe(1);
    expect(troubles([...old, ...upgraded, ...cluster.nodes])).toEqual([]);
  }, 300_000);
}

describe('three nodes on SQLite behind a balancer', () => {
  rollingOn(async () => {
    const path = join(temporaryFolder(), 'bridge.db');
    return {
      setting: `sqlite:${path}`,
      async run(statement) {
        const database = new DatabaseSync(path, { timeout: 5000 });
        database.exec(statement);
        database.close();
      },
    };
  });
});

await describeOn(postgresServer, 'three nodes behind a balancer', () => {
  rollingOn(async () => {
    const { database, run, drop } = await postgresServer.create();
    onTestFinished(drop);
    return { setting: database.url.reveal(), run };
  });
});
