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
            .map(({ name }) => name)
            .join(', ')}`,
        ),
      ];
    return [skipped('own address', 'not known: the platform tells it only to an address that it refuses')];
  },
};
