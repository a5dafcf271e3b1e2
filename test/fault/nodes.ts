import { join, resolve } from 'node:path';
import type { Clock } from '../../src/base/clock.ts';
import { type Child, startChild } from './child.ts';
import type { Journal } from './journal.ts';

const MAIN = resolve(import.meta.dirname, '../../src/cli/main.ts');
/** Longest start of a node on a machine that does much else. */
const START_MS = 60_000;
/** Pause before a node that could not start is started again. */
const RESTART_MS = 500;

/** A bridge of the run: `open-bridge serve` in a process of its own. */
export interface Node {
  /** Slot and how many were there before, such as `2.1`. */
  readonly id: string;
  readonly pid: number;
  readonly control: string;
  readonly gateway: string;
  readonly state: 'running' | 'stopped' | 'dead';
  /** When it was last continued after a stop, or started; milliseconds since the Unix epoch. */
  readonly resumedAt: number;
}

/** The nodes, each in a slot that is filled again when its node dies. */
export interface Nodes {
  readonly slots: number;
  /** The node in a slot, unless there is none at the moment. */
  at(slot: number): Node | undefined;
  /** Those that run now. */
  running(): readonly Node[];
  byPid(pid: number): Node | undefined;
  /** kill -9. The slot stays empty until `fill`. False when the node was gone already. */
  kill(node: Node): Promise<boolean>;
  /** SIGSTOP; what it returns continues it. Undefined when the node was gone already. */
  stop(node: Node): (() => void) | undefined;
  /** Starts a node in every empty slot. */
  fill(): Promise<void>;
  close(): Promise<void>;
}

interface Slot {
  generation: number;
  child: Child | undefined;
  node: (Node & { state: Node['state']; resumedAt: number }) | undefined;
  starting: Promise<void> | undefined;
}

/** Makes the slots; nothing runs before `fill`. */
export function createNodes(options: {
  readonly count: number;
  readonly config: string;
  readonly folder: string;
  readonly clock: Clock;
  readonly journal: Journal;
}): Nodes {
  const { count, config, folder, clock, journal } = options;
  const slots: Slot[] = Array.from({ length: count }, () => ({
    generation: 0,
    child: undefined,
    node: undefined,
    starting: undefined,
  }));
  let closed = false;

  const slotOf = (node: Node): Slot | undefined => slots.find(each => each.node === node);

  // Who waited with a node in hand sees by its state that another injection took it away meanwhile.
  const empty = (slot: Slot): void => {
    if (slot.node !== undefined) slot.node.state = 'dead';
    slot.node = undefined;
  };

  async function start(slot: Slot, number: number): Promise<void> {
    slot.generation += 1;
    const id = `${number}.${slot.generation}`;
    const child = startChild({
      command: process.execPath,
      args: [MAIN, 'serve', '--config', config],
      logFile: join(folder, `node-${id}.log`),
    });
    slot.child = child;
    const limit = AbortSignal.timeout(START_MS);
    limit.addEventListener('abort', () => slot.node === undefined && child.signal('SIGKILL'));
    const line = await child.line(text => text.includes('"open-bridge is ready"'));
    const { control, gateway } = JSON.parse(line) as { control: string; gateway: string };
    const node: Slot['node'] = {
      id,
      pid: child.pid,
      control,
      gateway,
      state: 'running',
      resumedAt: clock.now(),
    };
    slot.node = node;
    child.ended.then(() => {
      if (slot.node !== node || closed) return;
      empty(slot);
      journal.violated('nodes stay up', `node ${id} ended by itself: ${child.tail().slice(-1500)}`);
    });
    journal.note('node started', `${id} (pid ${child.pid})`);
  }

  /** Starts a node as a supervisor does: again, until it runs. */
  async function supervise(slot: Slot, number: number): Promise<void> {
    while (!closed) {
      const from = clock.now();
      try {
        return await start(slot, number);
      } catch (error) {
        const reason = error instanceof Error ? error.message.slice(-1500) : String(error);
        if (closed) return;
        if (journal.troubled('store', from, clock.now())) journal.note('node could not start', reason);
        else journal.violated('nodes start', reason);
        await clock.sleep(RESTART_MS);
      }
    }
  }

  return {
    slots: count,
    at: slot => slots[slot]?.node,
    running: () => slots.flatMap(({ node }) => (node?.state === 'running' ? [node] : [])),
    byPid: pid => slots.find(({ node }) => node?.pid === pid)?.node,
    async kill(node) {
      const slot = slotOf(node);
      if (slot === undefined) return false;
      empty(slot);
      await slot.child?.end('SIGKILL');
      return true;
    },
    stop(node) {
      const slot = slotOf(node);
      if (slot === undefined) return undefined;
      const { child } = slot;
      child?.signal('SIGSTOP');
      if (slot.node !== undefined) slot.node.state = 'stopped';
      return () => {
        if (slot.node !== node) return;
        slot.node.resumedAt = clock.now();
        slot.node.state = 'running';
        child?.signal('SIGCONT');
      };
    },
    async fill() {
      await Promise.all(
        slots.map(async (slot, number) => {
          if (slot.node !== undefined || closed) return;
          slot.starting ??= supervise(slot, number).finally(() => {
            slot.starting = undefined;
          });
          await slot.starting;
        }),
      );
    },
    async close() {
      closed = true;
      await Promise.all(slots.map(({ child }) => child?.end('SIGKILL')));
    },
  };
}
