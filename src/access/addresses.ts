import ipaddr from 'ipaddr.js';

type Address = ReturnType<typeof ipaddr.process>;
type Range = readonly [Address, number];

/** Matches peer addresses against a set of exact addresses and CIDR ranges. */
export interface AddressMatcher {
  matches(address: string): boolean;
}

/** What is wrong with an address rule (exact IPv4, IPv6 or CIDR); undefined when it is fine. */
export function addressRuleFault(rule: string): string | undefined {
  return parseRule(rule) === undefined
    ? 'must be an IPv4 or IPv6 address or a CIDR range such as 10.0.0.0/8'
    : undefined;
}

/** Compiles address rules. Throws TypeError naming the first that is neither an address nor a range. */
export function createAddressMatcher(rules: readonly string[]): AddressMatcher {
  const ranges = rules.map(rule => {
    const range = parseRule(rule);
    if (range === undefined) throw new TypeError(`address ${JSON.stringify(rule)} ${addressRuleFault(rule)}`);
    return range;
  });
  return {
    matches(address) {
      if (ranges.length === 0) return false;
      const peer = parseAddress(address);
      return (
        peer !== undefined &&
        ranges.some(([base, bits]) => peer.kind() === base.kind() && peer.match(base, bits))
      );
    },
  };
}

/** A range with both ends of an address family in it is the whole family. */
const EXTREME_ADDRESSES = [
  ['0.0.0.0', '255.255.255.255'],
  ['::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
] as const;

/** Whether a rule lets in a whole address family. Throws TypeError when it is no rule. */
export function matchesEverybody(rule: string): boolean {
  const { matches } = createAddressMatcher([rule]);
  return EXTREME_ADDRESSES.some(([lowest, highest]) => matches(lowest) && matches(highest));
}

/** Whether an address (or the name `localhost`) can only be reached from the same machine. */
export function isLoopback(address: string): boolean {
  if (address === 'localhost') return true;
  return parseAddress(address)?.range() === 'loopback';
}

/** Reads an address; an IPv4 one mapped into IPv6 (`::ffff:10.0.0.1`) becomes the IPv4 one. */
function parseAddress(address: string): Address | undefined {
  const bare = address.startsWith('[') && address.endsWith(']') ? address.slice(1, -1) : address;
  // Only whole dotted quads: ipaddr.js also reads "10.1", "0x7f000001" and octal, which people do not mean.
  if (!ipaddr.IPv4.isValidFourPartDecimal(bare) && !ipaddr.IPv6.isValid(bare)) return undefined;
  return ipaddr.process(bare);
}

function parseRule(rule: string): Range | undefined {
  const slash = rule.indexOf('/');
  const written = slash === -1 ? rule : rule.slice(0, slash);
  const base = parseAddress(written);
  if (base === undefined) return undefined;
  const width = base.kind() === 'ipv4' ? 32 : 128;
  if (slash === -1) return [base, width];
  const digits = rule.slice(slash + 1);
  if (!/^\d{1,3}$/.test(digits)) return undefined;
  // A mapped base was written with IPv6's 128 bits, of which the first 96 are the mapping itself.
  const bits = base.kind() === 'ipv4' && written.includes(':') ? Number(digits) - 96 : Number(digits);
  return bits >= 0 && bits <= width ? [base, bits] : undefined;
}
