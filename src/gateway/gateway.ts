import type { Access } from '../access/access.ts';
import type { Audit } from '../access/audit.ts';
import { createRateLimits } from '../access/rate-limits.ts';
import type { Clock } from '../base/clock.ts';
import { BridgeError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { AppDirectory } from '../credentials/apps.ts';
import type { Authority } from '../credentials/credentials.ts';
import type { Platform, PlatformId } from '../platforms/platform.ts';
import { answerErrors } from './answer-errors.ts';
import { answerTickets } from './answer-tickets.ts';
import { answerTokens } from './answer-tokens.ts';
import { authenticate } from './authenticate.ts';
import { authorize } from './authorize.ts';
import type { Answer, Handler, IncomingCall, Stage } from './call.ts';
import { Call, failCall } from './call.ts';
import { deadline } from './deadline.ts';
import { createDeadlines } from './deadlines.ts';
import { followOf } from './follow.ts';
import { forward } from './forward.ts';
import { inject } from './inject.ts';
import { inspect } from './inspect.ts';
import type { TakeBudget } from './limit.ts';
import { limit } from './limit.ts';
import { pace } from './pace.ts';
import { read } from './read.ts';
import type { CallRecord } from './record.ts';
import { record } from './record.ts';
import { refuseTickets } from './refuse-tickets.ts';
import type { Followed } from './relay.ts';
import { relay } from './relay.ts';
import { createReplayStore } from './replay-store.ts';
import { route } from './route.ts';
import type { GatewaySettings } from './settings.ts';
import { checkGatewaySettings } from './settings.ts';
import type { GatewayTokens } from './tokens.ts';
import { createUpstreams } from './upstreams.ts';

/** Everything the gateway works with. */
export interface GatewayDeps {
  readonly platforms: ReadonlyMap<PlatformId, Platform>;
  readonly apps: AppDirectory;
  readonly access: Access;
  readonly authority: Authority;
  readonly tokens: GatewayTokens;
  /** Told of every credential that is handed out, and of whoever is refused one. */
  readonly audit?: Pick<Audit, 'note'> | undefined;
  readonly takeBudget: TakeBudget;
  /** Asked at every call, so that a reload takes effect at once. What it gives must have been checked. */
  readonly settings: () => GatewaySettings;
  readonly clock: Clock;
  /** Hex digits of so many random bytes. */
  readonly randomHex: (bytes: number) => string;
  readonly log: Log;
  /** Told that a call begins. It must not throw. */
  readonly onBegin?: () => void;
  /** Told of every call when it is over. It must not throw. */
  readonly onCall?: (record: CallRecord) => void;
  /** Told how the bridge that is followed met a call. It must not throw. */
  readonly onFollowed?: ((state: Followed) => void) | undefined;
  /** Where large request bodies wait for a replay. */
  readonly tmpDir: string;
}

/** The gateway apart from any listener. */
export interface Gateway {
  /** Begins a call that a listener has read. */
  open(incoming: IncomingCall): Call;
  /** Answers a call. Never rejects for anything a caller or the platform does. */
  handle(call: Call): Promise<Answer>;
  /** Says that the caller of a call went away: what is under way for it ends. */
  abandon(call: Call): void;
  /** The answer to a request that a listener could not make a call of. */
  refuse(error: BridgeError, remoteAddress: string): Promise<Answer>;
  /** Breaks off what is left and closes the connections to the platforms. */
  close(): Promise<void>;
}

/** Makes a gateway. Throws TypeError when a setting cannot be used. */
export function createGateway(deps: GatewayDeps): Gateway {
  const { access, authority, clock, log, settings } = deps;
  const now = (): number => clock.now();
  checkGatewaySettings(settings());
  const follow = followOf(settings);
  const limits = createRateLimits(now);
  const upstreams = createUpstreams(clock, () => settings().connectionsPerOrigin);
  const replays = createReplayStore(deps);
  const deadlines = createDeadlines(clock, call => failCall(call, timedOut(settings().timeoutMs)));

  /** One request meets the stages in this order; its answer comes back through them from the last to the first. */
  const stages: readonly Stage[] = [
    record({ clock, randomHex: deps.randomHex, log, onBegin: deps.onBegin, onCall: deps.onCall }),
    deadline(deadlines, () => settings().timeoutMs),
    answerErrors(log),
    read(deps.platforms.values()),
    answerTokens({ ...deps, limits, now, follows: follow !== undefined }),
    authenticate(deps),
    pace(limits),
    route(deps),
    authorize(access),
    follow === undefined ? answerTickets({ authority, audit: deps.audit, now }) : refuseTickets,
    follow === undefined
      ? limit({ settings, takeBudget: deps.takeBudget, replays })
      : limit({ settings, takeBudget: undefined, replays: undefined }),
    inspect({ authority, recognize: deps.tokens.recognize, log }),
    follow === undefined ? inject(authority) : relay({ follow, onFollowed: deps.onFollowed }),
  ];
  const handle = compose(stages, forward({ settings, upstreams, clock, follow }));
  const open = (incoming: IncomingCall): Call => new Call(incoming, clock.now());

  return {
    open,
    handle: call => Promise.resolve(handle(call)),
    abandon(call) {
      call.callerGone = true;
      failCall(call, new BridgeError('CALLER_GONE', 'the caller closed the connection before its answer'));
    },
    refuse(error, remoteAddress) {
      const fail: Handler = () => {
        throw error;
      };
      const call = open({ method: '', target: '', headers: [], body: undefined, remoteAddress });
      return Promise.resolve(compose(stages.slice(0, 3), fail)(call));
    },
    async close() {
      deadlines.close();
      replays.close();
      upstreams.close();
    },
  };
}

function compose(stages: readonly Stage[], last: Handler): Handler {
  return stages.reduceRight((next, stage) => stage(next), last);
}

function timedOut(timeoutMs: number): BridgeError {
  return new BridgeError('UPSTREAM_TIMEOUT', `the call took longer than ${timeoutMs} ms`, {
    hint: 'try again; whether the platform has carried the call out is not known. The limit is gateway.timeoutMs in the configuration',
  });
}
