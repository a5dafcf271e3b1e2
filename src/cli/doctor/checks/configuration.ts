import { faultText } from '../../../config/faults.ts';
import { type Check, fail, ok, warn } from '../check.ts';

/** Every fault and every oddity of the configuration file, with its place. */
export const configuration: Check = {
  name: 'configuration',
  needs: 'nothing',
  async run({ config: { faults, warnings, settings }, options }) {
    const { config: file, app } = options;
    const unreadable = faults.length === 1 && faults[0]?.path === '' && faults[0].message.includes('read');
    const advice = unreadable ? 'name the file with --config' : undefined;
    const findings = [
      ...faults.map(fault => fail('configuration', faultText(file, fault), advice)),
      ...warnings.map(warning => warn('configuration', faultText(file, warning))),
    ];
    if (settings === undefined) return findings;
    const { apps, callers } = settings;
    const known = apps.map(({ name }) => name).join(', ') || 'none';
    if (app !== undefined && !apps.some(({ name, appid }) => name === app || appid === app))
      findings.push(fail('configuration', `--app names no app of ${file}`, `configured apps: ${known}`));
    const counts = `apps: ${known}; callers: ${callers.map(({ name }) => name).join(', ') || 'none'}`;
    return [ok('configuration', `${file} can be used (${counts})`), ...findings];
  },
};
