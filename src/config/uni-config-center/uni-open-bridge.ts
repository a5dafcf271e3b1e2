import { addressRuleFault } from '../../access/addresses.ts';
import type { PlatformId } from '../../platforms/platform.ts';
import {
  isScheduledPlatform,
  SCHEDULED_TASKS,
  type ScheduledPlatform,
  type ScheduleEntry,
} from '../schedule.ts';
import { asObject, type CenterFile, type Findings, located, type Origin, within } from './files.ts';

/** Platforms by what they are called in `schedule`: today's marks, and those before the first release. */
const PLATFORM_NAMES: Readonly<Record<string, PlatformId>> = {
  'weixin-mp': 'weixin-mp',
  'weixin-h5': 'weixin-h5',
  'weixin-web': 'weixin-web',
  'weixin-app': 'weixin-app',
  'qq-mp': 'qq-mp',
  'qq-app': 'qq-app',
  'mp-weixin': 'weixin-mp',
  'h5-weixin': 'weixin-h5',
  'web-weixin': 'weixin-web',
  'app-weixin': 'weixin-app',
  'mp-qq': 'qq-mp',
  'app-qq': 'qq-app',
};

/** One DCloud appid's part of the schedule, with the places it comes from. */
export interface CenterSchedule {
  readonly dcloudAppid: string;
  readonly entry: ScheduleEntry;
  readonly origin: Origin;
  readonly platformOrigins: ReadonlyMap<ScheduledPlatform, Origin>;
}

/** What `uni-open-bridge/config.json` says. What it does not say is undefined. */
export interface UniOpenBridgeFile {
  readonly schedule: readonly CenterSchedule[] | undefined;
  readonly ipWhiteList: readonly { readonly rule: string; readonly origin: Origin }[] | undefined;
}

/**
 * Takes schedule and ipWhiteList from `uni-open-bridge/config.json`. What uniCloud ignores is left out with
 * a warning.
 */
export function readUniOpenBridge(file: CenterFile, findings: Findings): UniOpenBridgeFile {
  const root: Origin = { file, path: [] };
  const value = asObject(file.value);
  if (value === undefined) {
    findings.faults.push(located(root, 'must be an object'));
    return { schedule: undefined, ipWhiteList: undefined };
  }
  const [list, ...older] = ['ipWhiteList', 'ipWhitelist'].filter(name => name in value);
  for (const name of older) {
    findings.warnings.push(located(within(root, name), 'left out: ipWhiteList is given too, and counts'));
  }
  return {
    schedule: scheduleOf(value['schedule'], within(root, 'schedule'), findings),
    ipWhiteList: list === undefined ? undefined : addressesOf(value[list], within(root, list), findings),
  };
}

function scheduleOf(
  value: unknown,
  origin: Origin,
  findings: Findings,
): readonly CenterSchedule[] | undefined {
  if (value === undefined || value === null) return undefined;
  const schedule = asObject(value);
  if (schedule === undefined) {
    findings.faults.push(located(origin, 'must be an object with an entry for each dcloudAppid'));
    return undefined;
  }
  return Object.entries(schedule).flatMap(([dcloudAppid, each]) => {
    const here = within(origin, dcloudAppid);
    const entry = asObject(each);
    if (entry !== undefined) return scheduleEntry(dcloudAppid, entry, here, findings);
    findings.warnings.push(located(here, 'left out: must be an object'));
    return [];
  });
}

function scheduleEntry(
  dcloudAppid: string,
  value: Readonly<Record<string, unknown>>,
  origin: Origin,
  findings: Findings,
): CenterSchedule {
  const warn = (path: readonly string[], message: string): void =>
    void findings.warnings.push(located(within(origin, ...path), message));
  const enable = value['enable'] === true;
  if (!enable && value['enable']) {
    warn(['enable'], 'is off, as in uniCloud: only true itself switches it on');
  }
  const platforms = new Map<ScheduledPlatform, { enable: boolean; tasks: readonly string[] }>();
  const platformOrigins = new Map<ScheduledPlatform, Origin>();
  for (const [name, each] of Object.entries(value)) {
    if (name === 'enable') continue;
    const platform = Object.hasOwn(PLATFORM_NAMES, name) ? PLATFORM_NAMES[name] : undefined;
    const settings = asObject(each);
    if (platform === undefined) {
      warn([name], `left out: no such platform; known: ${Object.keys(SCHEDULED_TASKS).join(', ')}`);
    } else if (!isScheduledPlatform(platform)) {
      warn([name], `left out: nothing of ${platform} can be renewed by a schedule`);
    } else if (settings === undefined) {
      warn([name], 'left out: must be an object');
    } else if (name !== platform && platform in value) {
      warn([name], `left out: the older name of ${platform}, which is given too, and counts`);
    } else {
      const tasks = tasksOf(platform, settings['tasks'], within(origin, name, 'tasks'), findings);
      platforms.set(platform, { enable: Boolean(settings['enable']), tasks });
      platformOrigins.set(platform, within(origin, name));
    }
  }
  return { dcloudAppid, entry: { enable, ...Object.fromEntries(platforms) }, origin, platformOrigins };
}

function tasksOf(
  platform: ScheduledPlatform,
  value: unknown,
  origin: Origin,
  findings: Findings,
): readonly string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    findings.warnings.push(located(origin, 'left out: must be an array'));
    return [];
  }
  const known: readonly unknown[] = SCHEDULED_TASKS[platform];
  return value.filter((task: unknown, index): task is string => {
    if (known.includes(task)) return true;
    const message = `left out: no task of ${platform}, which has ${known.join(' and ')}`;
    findings.warnings.push(located(within(origin, index), message));
    return false;
  });
}

function addressesOf(
  value: unknown,
  origin: Origin,
  findings: Findings,
): readonly { readonly rule: string; readonly origin: Origin }[] | undefined {
  if (!Array.isArray(value)) {
    findings.faults.push(located(origin, 'must be an array of addresses'));
    return undefined;
  }
  return value.flatMap((rule: unknown, index) => {
    const here = within(origin, index);
    if (typeof rule === 'string' && addressRuleFault(rule) === undefined) return [{ rule, origin: here }];
    const message = 'left out: no IP address, and no CIDR range such as 10.0.0.0/8';
    findings.warnings.push(located(here, message));
    return [];
  });
}
