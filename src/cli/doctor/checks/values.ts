import { methodFor } from '../../../common/methods.ts';
import type { CredentialRef } from '../../../credentials/credentials.ts';
import { storedKeys } from '../../../credentials/keys.ts';
import { isPushed, planOf } from '../../../credentials/plans.ts';
import { createVault, type Held, isUsable } from '../../../credentials/vault.ts';
import type { App } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import type { Store } from '../../../stores/store.ts';
import { type Check, type Examination, type Finding, ok, skipped, warn } from '../check.ts';

/** What can be pushed in for a whole app. */
const KINDS = ['access-token', 'ticket'] as const;

type Ref = CredentialRef & { readonly kind: (typeof KINDS)[number] };

/** Apps whose tokens are pushed in, as they are not managed or their platform issues none to us: what is there, and until when. */
export const values: Check = {
  name: 'values',
  needs: 'settings',
  async run(exam) {
    const findings: Finding[] = [];
    // A bridge that follows another uses no value, wherever it comes from.
    if (exam.settings().follow !== undefined) return findings;
    for (const app of exam.apps())
      if (isPushed({ app, kind: 'access-token' })) findings.push(...(await lookAt(app, exam)));
    return findings;
  },
};

async function lookAt(app: App, exam: Examination): Promise<readonly Finding[]> {
  const name = nameOf(app);
  const unread = skipped(name, 'not looked at: the database cannot be read, see above');
  const database = await exam.database().catch(() => null);
  if (database === null) return [unread];
  // Without a file nothing can have been pushed in yet.
  if (database === undefined) return [without(app, false)];
  if (database.store === undefined) return [unread];
  try {
    return await inStore(app, database.store, exam);
  } catch {
    return [skipped(name, 'not looked at: what is stored does not open, see "seal key" above')];
  }
}

async function inStore(app: App, store: Store, exam: Examination): Promise<readonly Finding[]> {
  const { keyFormat } = exam.settings().storage;
  const vault = createVault({ store, keyFormat, planOf });
  const findings: Finding[] = [];
  for (const kind of KINDS) {
    const ref: Ref = { app, kind };
    if (platformOf(app.platform).kindFault(kind) !== undefined) continue;
    const held = await vault.read(ref);
    if (held !== undefined) findings.push(judge(ref, held, exam.world.clock.now()));
    else if (kind === 'access-token') findings.push(without(app, await holdsAnything(ref, store)));
  }
  return findings;
}

function judge(ref: Ref, held: Held, now: number): Finding {
  const { expiresAt, value } = held.credential;
  const name = nameOf(ref.app);
  const what = ref.kind.replaceAll('-', '_');
  if (!Number.isFinite(expiresAt))
    return ok(name, `${what} ${value.fingerprint} was pushed in and never ends`);
  const end = new Date(expiresAt).toISOString();
  if (!isUsable(held, now))
    return warn(name, `the ${what} that was pushed in ended at ${end}`, pushAdvice(ref));
  const left = Math.floor((expiresAt - now) / 1000);
  return ok(name, `${what} ${value.fingerprint} was pushed in and ends at ${end} (${left} s left)`);
}

/** What it means that an app has no access_token. */
function without(app: App, holdsUsers: boolean): Finding {
  const name = nameOf(app);
  const advice = pushAdvice({ app, kind: 'access-token' });
  if (app.managed)
    return ok(
      name,
      `no access_token was pushed in, and the platform issues none to us; the logins of users need none`,
    );
  if (platformOf(app.platform).plan('access-token', app.tokenMode) !== undefined)
    return warn(name, 'no access_token was pushed in, and none is fetched here ("managed": false)', advice);
  return holdsUsers
    ? ok(name, 'no access_token was pushed in, but values of users were')
    : warn(name, 'nothing was pushed in, and nothing is fetched here ("managed": false)', advice);
}

function pushAdvice({ app, kind }: Ref): string {
  const push = `see why your token server does not push it with ${methodFor({ verb: 'set', kind })} of uni-open-bridge`;
  return app.managed ? push : `${push}; or set "managed": true and a secret on ${app.name}`;
}

/** Whether any value of the app is stored, in either form of its key. */
async function holdsAnything(ref: Ref, store: Store): Promise<boolean> {
  const { id, alternate } = storedKeys(ref, 'appid');
  for (const key of [id, alternate]) {
    const prefix = key?.slice(0, -ref.kind.length);
    if (prefix === undefined) continue;
    const [first] = await store.credentials.scan(1, prefix);
    if (first?.id.startsWith(prefix)) return true;
  }
  return false;
}

function nameOf(app: App): string {
  return `${app.name}: values`;
}
