import type { App } from '../../../platforms/platform.ts';
import { platformOf } from '../../../platforms/platforms.ts';
import { type Check, ok, skipped } from '../check.ts';

/** The address this machine goes out with, which is what IP lists must hold. */
export const egress: Check = {
  name: 'own address',
  needs: 'settings',
  async run({ egress: address, apps }) {
    if (address !== undefined)
      return [
        ok(
          'own address',
          `this machine goes out with ${address}, in the platform's own words`,
          `every account's IP list needs it: ${apps()
            .filter(hasIpList)
            .map(({ name }) => name)
            .join(', ')}`,
        ),
      ];
    return [skipped('own address', 'not known: the platform tells it only to an address that it refuses')];
  },
};

/** The platform's word for an address that is not on the account's list, where it has such lists. */
const ADDRESS_REFUSED = 40164;

function hasIpList({ managed, platform }: App): boolean {
  return managed && platformOf(platform).errorRule(ADDRESS_REFUSED).class === 'address';
}
