import type { FaultApp } from './apps.ts';
import type { Dice } from './dice.ts';
import type { Injections, World } from './injection.ts';
import { strike } from './injection.ts';
import { BUSINESS_PATH } from './load.ts';

/** Longest delay of a token call, in milliseconds: well below the life of a lease, as a real platform's is. */
const SLOWEST_MS = 2500;
/** Pause between two revocations of one app: repairs are spaced by a second, and must have been tried. */
const REVOCATION_GAP_MS = 10_000;

/** How the platform is made to misbehave: for all callers of an app, as it does in reality. */
export const platformInjections: Injections = {
  async 'platform slow to issue'(world, dice) {
    const app = anApp(world, dice);
    const ms = Math.round(dice.between(300, SLOWEST_MS));
    const when = dice.unit() < 0.5 ? 'before' : 'after';
    world.journal.note('platform slow to issue', `${app.name}, ${ms} ms, ${when}`);
    await strike(world, {
      rule: { kind: 'latency', ms, when, appid: app.appid, path: app.tokenPath },
      ...{ ms: 5000, troubles: app },
    });
  },
  async 'platform busy'(world, dice) {
    const app = anApp(world, dice);
    const ms = dice.between(500, 4000);
    world.journal.note('platform busy', `${app.name}, -1 to token calls for ${Math.round(ms)} ms`);
    const { appid, tokenPath: path } = app;
    await strike(world, { rule: { kind: 'errcode', errcode: -1, appid, path }, ms, troubles: app });
  },
  async 'platform silent'(world, dice) {
    const app = anApp(world, dice);
    world.journal.note('platform silent', `${app.name}, the next token call`);
    const { appid, tokenPath: path } = app;
    // A call that is never answered is given up after 8 s.
    await strike(world, {
      rule: { kind: 'silent', appid, path, times: 1 },
      ...{ ms: 12_000, troubles: app },
    });
  },
  async 'token answer lost'(world, dice) {
    const app = anApp(world, dice);
    const at = dice.pick(['before', 'headers', 'body'] as const) ?? 'body';
    const times = dice.unit() < 0.5 ? 1 : 2;
    world.journal.note('token answer lost', `${app.name}, connection cut ${times} times: ${at}`);
    const { appid, tokenPath: path } = app;
    await strike(world, { rule: { kind: 'cut', at, appid, path, times }, ms: 6000, troubles: app });
  },
  async 'token answer garbled'(world, dice) {
    const app = anApp(world, dice);
    const truncated = dice.unit() < 0.5;
    world.journal.note('token answer garbled', `${app.name}, ${truncated ? 'half of it' : 'a web page'}`);
    const { appid, tokenPath: path } = app;
    await strike(world, {
      rule: { kind: 'garbage', ...(truncated && { truncated }), appid, path, times: 1 },
      ...{ ms: 6000, troubles: app },
    });
  },
  async 'business calls struck'(world, dice) {
    const rule = dice.pick([
      { kind: 'latency', ms: 1500 },
      { kind: 'cut', at: 'headers' },
      { kind: 'cut', at: 'body' },
      { kind: 'errcode', errcode: -1 },
    ] as const) ?? { kind: 'cut' };
    const ms = dice.between(500, 3000);
    world.journal.note('business calls struck', `${JSON.stringify(rule)} for ${Math.round(ms)} ms`);
    await strike(world, { rule: { ...rule, path: BUSINESS_PATH, probability: 0.5 }, ms });
  },
  async 'tokens revoked'(world, dice) {
    const { journal, clock, ledger } = world;
    const now = clock.now();
    const calm = world.apps.filter(
      ({ appid }) => !journal.troubled('revoked', now - REVOCATION_GAP_MS, now, appid),
    );
    const app = dice.pick(calm);
    if (app === undefined) return journal.note('passed over', 'all apps had their tokens revoked just now');
    const end = journal.trouble('revoked', app.appid);
    ledger.revoke(app);
    journal.note('tokens revoked', app.name);
    if (dice.unit() < 0.5) world.load.rush();
    end();
  },
  async rush({ journal, load }) {
    journal.note('rush', 'all callers at once');
    load.rush();
  },
};

function anApp({ apps }: World, dice: Dice): FaultApp {
  return dice.pick(apps) as FaultApp;
}
