import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { createJournal } from './journal.ts';
import { createNodes } from './nodes.ts';
import { writeConfig } from './run.ts';

it('a node that another injection took away is neither killed nor stopped a second time', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'open-bridge-nodes-'));
  const journal = createJournal(systemClock, () => {});
  const config = writeConfig(folder, { database: `sqlite:${join(folder, 'data.db')}` }, 'http://127.0.0.1:9');
  const nodes = createNodes({ count: 1, config, folder, clock: systemClock, journal });
  try {
    await nodes.fill();
    const first = nodes.at(0);
    if (first === undefined) throw new Error('the node did not start');
    expect(first.state).toBe('running');
    expect(await nodes.kill(first)).toBe(true);
    expect(first.state).toBe('dead');
    expect(await nodes.kill(first)).toBe(false);
    expect(nodes.stop(first)).toBeUndefined();

    await nodes.fill();
    const second = nodes.at(0);
    if (second === undefined) throw new Error('the node did not start again');
    const resume = nodes.stop(second);
    expect(nodes.running()).toEqual([]);
    resume?.();
    expect(nodes.running()).toEqual([second]);
    expect(nodes.stop(first)).toBeUndefined();
    expect(journal.violations).toEqual([]);
  } finally {
    await nodes.close();
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
