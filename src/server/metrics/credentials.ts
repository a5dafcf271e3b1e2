import type { AuthorityEvent } from '../../credentials/authority.ts';
import type {
  Authority,
  CredentialStatus,
  RefusalReport,
  ReportOutcome,
} from '../../credentials/credentials.ts';
import type { UserFailure } from '../../credentials/user-exchange.ts';
import type { CredentialKind, Platform } from '../../platforms/platform.ts';
import { platformOf } from '../../platforms/platforms.ts';
import type { Family, Sample } from './family.ts';
import { type Names, OTHER } from './names.ts';
import { budgetRules, type Reading, type Snapshot } from './snapshot.ts';

/** What came of asking the platform for a credential; `unchanged`: it gave the same value again. */
const RESULTS = { issued: 'issued', failed: 'failed', kept: 'unchanged' } as const;
type IssueResult = (typeof RESULTS)[keyof typeof RESULTS];

const REPORTERS: readonly RefusalReport['observedBy'][] = ['gateway', 'caller'];
const REPORT_OUTCOMES: readonly (ReportOutcome['outcome'] | 'failed')[] = [
  'renewed',
  'superseded',
  'kept',
  'failed',
];

/** How often each of some things happened, by a name for each. */
type Tallies<Thing> = Map<string, Thing & { count: number }>;

/** Counts one more. */
function tally<Thing>(tallies: Tallies<Thing>, name: string, thing: Thing): void {
  const entry = tallies.get(name);
  if (entry === undefined) tallies.set(name, { ...thing, count: 1 });
  else entry.count += 1;
}

/** Counts what the authority does. */
export interface CredentialCounts {
  onEvent(event: AuthorityEvent): void;
  onUserFailure(failure: UserFailure): void;
  /** The same authority, with the reports made to it counted. */
  counting(authority: Authority): Authority;
  rename(names: Names): void;
  readonly families: readonly Family[];
}

export function createCredentialCounts(initial: Names): CredentialCounts {
  let names = initial;
  const issues: Tallies<{ app: string; kind: CredentialKind; result: IssueResult }> = new Map();
  const reports = new Map<string, { by: string; outcome: string; count: number }>(
    REPORTERS.flatMap(by => REPORT_OUTCOMES.map(outcome => [`${by} ${outcome}`, { by, outcome, count: 0 }])),
  );

  const earlyEnds: Tallies<{ app: string; kind: CredentialKind }> = new Map();
  const userFailures: Tallies<{ app: string; kind: CredentialKind; class: string }> = new Map();

  const countReport = (by: RefusalReport['observedBy'], outcome: (typeof REPORT_OUTCOMES)[number]): void => {
    const entry = reports.get(`${by} ${outcome}`);
    if (entry !== undefined) entry.count += 1;
  };

  return {
    onEvent({ type, ref }) {
      if (type === 'superseded') return;
      const app = names.apps.has(ref.app.name) ? ref.app.name : OTHER;
      if (type === 'ended-early') {
        tally(earlyEnds, `${app} ${ref.kind}`, { app, kind: ref.kind });
        return;
      }
      const result = RESULTS[type];
      tally(issues, `${app} ${ref.kind} ${result}`, { app, kind: ref.kind, result });
    },
    onUserFailure({ app: { name }, kind, class: fault }) {
      const app = names.apps.has(name) ? name : OTHER;
      tally(userFailures, `${app} ${kind} ${fault}`, { app, kind, class: fault });
    },
    counting: authority => ({
      ...authority,
      async report(ref, report) {
        try {
          const answer = await authority.report(ref, report);
          countReport(report.observedBy, answer.outcome);
          return answer;
        } catch (error) {
          countReport(report.observedBy, 'failed');
          throw error;
        }
      },
    }),
    rename(next) {
      names = next;
      for (const counts of [issues, earlyEnds, userFailures])
        for (const [key, { app }] of counts) if (app !== OTHER && !names.apps.has(app)) counts.delete(key);
    },
    families: [
      {
        name: 'open_bridge_credential_issues_total',
        help: 'Issues by this process: "issued" a new value, "unchanged" the same again, "failed" none.',
        type: 'counter',
        labels: ['app', 'kind', 'result'],
        samples: () =>
          [...issues.values()].map(({ app, kind, result, count }) => ({
            labels: { app, kind: kindLabel(kind), result },
            value: count,
          })),
      },
      {
        name: 'open_bridge_credential_early_ends_total',
        help: 'Credentials that died before their time because somebody else replaced them, seen by this process.',
        type: 'counter',
        labels: ['app', 'kind'],
        samples: () =>
          [...earlyEnds.values()].map(({ app, kind, count }) => ({
            labels: { app, kind: kindLabel(kind) },
            value: count,
          })),
      },
      {
        name: 'open_bridge_user_credential_failures_total',
        help: 'Logins and refreshes of user tokens that failed because of the app or the platform, not of the user.',
        type: 'counter',
        labels: ['app', 'kind', 'class'],
        samples: () =>
          [...userFailures.values()].map(({ app, kind, class: fault, count }) => ({
            labels: { app, kind: kindLabel(kind), class: fault },
            value: count,
          })),
      },
      {
        name: 'open_bridge_reports_total',
        help: 'Reports of refused credentials, by who saw the refusal and what came of it.',
        type: 'counter',
        labels: ['by', 'outcome'],
        samples: () =>
          [...reports.values()].map(({ by, outcome, count }) => ({ labels: { by, outcome }, value: count })),
      },
    ],
  };
}

/** The state of credentials and budgets, as the store told it last, seen from now. */
export function credentialFamilies(options: {
  readonly snapshot: () => Promise<Snapshot>;
  readonly now: () => number;
  readonly platforms: Iterable<Platform>;
}): readonly Family[] {
  const { snapshot, now } = options;
  const rules = budgetRules(options.platforms);

  const gauge = (
    name: string,
    help: string,
    labels: readonly string[],
    read: (reading: Reading) => Iterable<Sample>,
  ): Family => ({
    name,
    help,
    type: 'gauge',
    labels,
    async samples() {
      const { reading } = await snapshot();
      return reading === undefined ? [] : read(reading);
    },
  });

  const perCredential = (
    name: string,
    help: string,
    read: (status: CredentialStatus) => number | undefined,
  ): Family =>
    gauge(name, help, ['app', 'kind', 'renewal'], function* ({ credentials }) {
      for (const status of credentials) {
        const value = read(status);
        if (value !== undefined) yield { labels: credentialLabels(status), value };
      }
    });

  return [
    perCredential(
      'open_bridge_credential_age_seconds',
      'Time since the current value was asked for.',
      ({ issuedAt }) => (issuedAt === undefined ? undefined : (now() - issuedAt) / 1000),
    ),
    perCredential(
      'open_bridge_credential_expires_in_seconds',
      'Time until the current value expires; negative once it has.',
      ({ expiresAt }) => (expiresAt === undefined ? undefined : (expiresAt - now()) / 1000),
    ),
    gauge(
      'open_bridge_issue_failures',
      'Failures in a row to issue a credential; there is no series while issuing works.',
      ['app', 'kind', 'class', 'errcode'],
      function* ({ credentials }) {
        for (const { ref, failure } of credentials) {
          if (failure === undefined) continue;
          const { errorClass, errcode, failures } = failure;
          const rule = errcode === undefined ? undefined : platformOf(ref.app.platform).errorRule(errcode);
          const label = rule === undefined ? 'none' : rule.class === 'other' ? 'other' : String(errcode);
          const { app, kind } = credentialLabels({ ref });
          yield { labels: { app, kind, class: errorClass, errcode: label }, value: failures };
        }
      },
    ),
    gauge(
      'open_bridge_credentials_unreadable',
      'Stored credentials that do not open with the configured seal keys.',
      [],
      ({ unreadable }) => [{ value: unreadable }],
    ),
    gauge(
      'open_bridge_budget_remaining',
      "Uses left of a limit of the platform in its window, the operator's share included.",
      ['app', 'budget'],
      ({ budgets }) =>
        budgets.map(({ app, rule, used }) => ({
          labels: { app: app.name, budget: rule.name },
          value: Math.max(0, rule.limit - used),
        })),
    ),
    {
      name: 'open_bridge_budget_limit',
      help: 'Uses of a budget allowed in its window, which is a day or a month.',
      type: 'gauge',
      labels: ['budget', 'window'],
      samples: () =>
        [...rules.values()].map(({ name, window, limit }) => ({
          labels: { budget: name, window },
          value: limit,
        })),
    },
    {
      name: 'open_bridge_budget_reserve',
      help: 'Uses of a budget that are kept for an operator.',
      type: 'gauge',
      labels: ['budget'],
      samples: () =>
        [...rules.values()].map(({ name, reserve }) => ({ labels: { budget: name }, value: reserve })),
    },
    gauge(
      'open_bridge_renewals_overdue',
      'Background renewals that should have begun, of all apps.',
      [],
      ({ overdue }) => [{ value: overdue }],
    ),
    gauge(
      'open_bridge_renewal_lag_seconds',
      'How long the first of the overdue renewals has been waiting; 0 when none is.',
      [],
      ({ lagMs }) => [{ value: lagMs / 1000 }],
    ),
  ];
}

function credentialLabels({ ref }: Pick<CredentialStatus, 'ref'>): {
  app: string;
  kind: string;
  renewal: string;
} {
  const { app, kind } = ref;
  const renewal = app.renews.includes(kind) ? 'background' : 'on_demand';
  return { app: app.name, kind: kindLabel(kind), renewal };
}

/** Kinds as the control API writes them. */
function kindLabel(kind: CredentialKind): string {
  return kind.replaceAll('-', '_');
}
