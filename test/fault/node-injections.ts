import type { FaultApp } from './apps.ts';
import type { Dice } from './dice.ts';
import type { Injections, World } from './injection.ts';
import type { Node, Nodes } from './nodes.ts';

/** Longer than a lease lives without being prolonged (5 s). */
const PAST_LEASE_MS: readonly [number, number] = [6000, 8000];
/** How long to wait for somebody to take a lease. */
const LEASE_WAIT_MS = 8000;
const LOOK_MS = 20;
/** Holds a token call up, so that its node can be met with the lease in hand. */
const HOLD_MS = 1500;

/** How nodes are killed and stopped. */
export const nodeInjections: Injections = {
  async 'node killed'(world, dice) {
    const node = victim(world, dice);
    if (node !== undefined) await kill(world, node, dice, 'node killed');
  },
  async 'node stopped past its lease'(world, dice) {
    const node = victim(world, dice);
    if (node !== undefined) await stop(world, node, dice, 'node stopped past its lease');
  },
  async 'lease holder killed'(world, dice) {
    const node = await leaseHolder(world, dice);
    if (node !== undefined) await kill(world, node, dice, 'lease holder killed');
  },
  async 'lease holder stopped past its lease'(world, dice) {
    const node = await leaseHolder(world, dice);
    if (node !== undefined) await stop(world, node, dice, 'lease holder stopped past its lease');
  },
};

/** A node that may be taken away, as long as more than half of them run. */
function victim({ nodes, journal }: World, dice: Dice): Node | undefined {
  const node = mayLoseOne(nodes) ? dice.pick(nodes.running()) : undefined;
  if (node === undefined) journal.note('passed over', `only ${nodes.running().length} nodes run`);
  return node;
}

const goneAlready = (node: Node): string => `node ${node.id} was taken away by another injection`;

const mayLoseOne = (nodes: Nodes): boolean => nodes.running().length > nodes.slots / 2;

async function kill(world: World, node: Node, dice: Dice, what: string): Promise<void> {
  const { nodes, journal, clock, load } = world;
  const end = journal.trouble('node');
  // So that it has calls and writes in hand when it dies.
  load.rush();
  await clock.sleep(dice.between(0, 60));
  if (await nodes.kill(node)) {
    journal.note(what, node.id);
    await clock.sleep(dice.between(200, 1500));
    await nodes.fill();
  } else journal.note('passed over', goneAlready(node));
  end();
}

async function stop(world: World, node: Node, dice: Dice, what: string): Promise<void> {
  const { nodes, journal, clock } = world;
  const end = journal.trouble('node');
  const resume = nodes.stop(node);
  if (resume === undefined) {
    journal.note('passed over', goneAlready(node));
    end();
    return;
  }
  const ms = dice.between(...PAST_LEASE_MS);
  journal.note(what, `${node.id} for ${Math.round(ms)} ms`);
  await clock.sleep(ms);
  resume();
  world.onResume(node);
  journal.note('node continued', node.id);
  end();
}

/** Waits until a node is at work under a lease on an app's token, and names it. */
async function leaseHolder(world: World, dice: Dice): Promise<Node | undefined> {
  const { simulator, journal, clock, nodes } = world;
  const app = dice.pick(world.apps) as FaultApp;
  const end = journal.trouble('tokens', app.appid);
  const when = dice.unit() < 0.5 ? 'before' : 'after';
  const rule = { kind: 'latency', ms: HOLD_MS, when, appid: app.appid, path: app.tokenPath } as const;
  const id = simulator.faults.add(rule);
  try {
    for (const until = clock.now() + LEASE_WAIT_MS; clock.now() < until; await clock.sleep(LOOK_MS)) {
      const leases = await world.leases().catch(() => []);
      const lease = leases.find(({ name }) => name.startsWith('issue:') && name.includes(app.appid));
      const pid = Number(/:(\d+)\//.exec(lease?.holder ?? '')?.[1]);
      const node = Number.isNaN(pid) ? undefined : nodes.byPid(pid);
      if (node?.state !== 'running' || !mayLoseOne(nodes)) continue;
      // Between taking the lease and having the answer, somewhere.
      await clock.sleep(dice.between(0, HOLD_MS));
      if (node.state === 'running') return node;
    }
    journal.note('passed over', `nobody issued a token of ${app.name}`);
    return undefined;
  } finally {
    simulator.faults.clear(id);
    end();
  }
}
