/** Hex digits of the second a call began in: enough until 2106. */
const SECOND_DIGITS = 8;
const LAST_SECOND = 16 ** SECOND_DIGITS - 1;
const BEGINS_WITH_SECOND = /^[0-9a-f]{8}(-|$)/;

/**
 * Makes the ids of calls. To callers an id is opaque. Its digits are the second the call began in, the
 * millisecond within it, and 48 random bits, so that ids sort by time: a new row goes to the end of the
 * index, and a page of the call log is a range of it. Ids of earlier versions have random digits in
 * the place of the millisecond, so of theirs only the second may be relied upon.
 *
 * @param randomHex gives that many random bytes as hex digits
 * @example createSeqids(createRandomHex())(1_772_337_600_123) // '69a3b9c0-007b1f0e2d3c4b5a'
 */
export function createSeqids(randomHex: (bytes: number) => string): (startedAt: number) => string {
  let moment = Number.NaN;
  let prefix = '';
  return startedAt => {
    if (startedAt !== moment) {
      moment = startedAt;
      const millisecond = Math.floor(startedAt) % 1000;
      prefix = `${secondOf(startedAt)}-${millisecond.toString(16).padStart(4, '0')}`;
    }
    return prefix + randomHex(6);
  };
}

/** What is greater than the ids of all calls that began by `at`, though not less than all others. */
export function seqidsEnd(at: number): string {
  return secondOf(at + 1000);
}

/** What is not greater than the ids of calls that began in the second of `at` or later, and greater than all others. */
export function seqidsBegin(at: number): string {
  return secondOf(at);
}

/** The second that the call of a seqid began in, since the Unix epoch; NaN of what is no seqid. */
export function secondOfSeqid(seqid: string): number {
  return BEGINS_WITH_SECOND.test(seqid) ? Number.parseInt(seqid.slice(0, SECOND_DIGITS), 16) : Number.NaN;
}

function secondOf(at: number): string {
  const second = Math.min(Math.max(Math.floor(at / 1000), 0), LAST_SECOND);
  return second.toString(16).padStart(SECOND_DIGITS, '0');
}
