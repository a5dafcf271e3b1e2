import type { CredentialKind, PlatformId } from '../platforms/platform.ts';

/** What can be kept fresh in the background, by platform, in the words of uni-open-bridge. */
export const SCHEDULED_TASKS = {
  'weixin-mp': ['accessToken'],
  'weixin-h5': ['accessToken', 'ticket'],
  'qq-mp': ['accessToken'],
} as const;

/** Platforms that have anything to keep fresh in the background. */
export type ScheduledPlatform = keyof typeof SCHEDULED_TASKS;

/** One dcloudAppid's part of the schedule. */
export type ScheduleEntry = { readonly enable: boolean } & {
  readonly [platform in ScheduledPlatform]?:
    | { readonly enable: boolean; readonly tasks: readonly string[] }
    | undefined;
};

/** Whether a platform has anything to keep fresh in the background. */
export function isScheduledPlatform(platform: string): platform is ScheduledPlatform {
  return Object.hasOwn(SCHEDULED_TASKS, platform);
}

/**
 * The kinds kept fresh for an app that goes by these DCloud appids. uni-open-bridge's `schedule` is off
 * unless enabled on both levels; of several entries any may switch a kind on. `unscheduled` is for apps
 * without an entry whose platform issues anything.
 */
export function renewedKinds(
  platform: PlatformId,
  dcloudAppids: readonly string[],
  schedule: Readonly<Record<string, ScheduleEntry>>,
  unscheduled: readonly CredentialKind[],
): readonly CredentialKind[] {
  if (!isScheduledPlatform(platform)) return [];
  const entries = dcloudAppids.flatMap(id => (Object.hasOwn(schedule, id) ? [schedule[id]] : []));
  if (entries.length === 0) return unscheduled;
  const tasks = new Set(
    entries.flatMap(entry => {
      const ofPlatform = entry?.[platform];
      return entry?.enable && ofPlatform?.enable ? ofPlatform.tasks : [];
    }),
  );
  if (tasks.has('ticket')) return ['access-token', 'ticket'];
  return tasks.has('accessToken') ? ['access-token'] : [];
}
