import { createAddressMatcher, matchesEverybody } from './addresses.ts';

/** The addresses from which the uni-open-bridge functions may be called without any key. */
export interface IpWhiteList {
  /** Whether a peer's address is listed; an IPv4 one mapped into IPv6 counts as the IPv4 one. */
  includes(address: string): boolean;
}

/** Addresses that no peer ever has; people write them to mean "everybody". */
const UNSPECIFIED = ['0.0.0.0', '::'];

/** Makes a list of exact addresses and CIDR ranges. Throws TypeError naming the first rule that is neither. */
export function createIpWhiteList(rules: readonly string[]): IpWhiteList {
  const { matches } = createAddressMatcher(rules);
  return { includes: matches };
}

/** Why a rule does not do what its writer may believe; undefined when there is nothing to say. */
export function ipWhiteListWarning(rule: string): string | undefined {
  if (matchesEverybody(rule)) {
    return 'lets everybody who reaches the control API read and change every credential';
  }
  const { matches } = createAddressMatcher([rule]);
  return UNSPECIFIED.some(matches) && !rule.includes('/')
    ? `is no wildcard: it matches only itself, which is no caller's address; list the addresses or ranges of your own servers ("0.0.0.0/0" and "::/0" would let in everybody who reaches the control API)`
    : undefined;
}
