/** Cuts bytes into pieces of the given sizes, the rest being the last; each is memory of its own. */
export function cutUp(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at >= bytes.length) break;
    const end = Math.min(bytes.length, at + Math.max(1, size));
    pieces.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  if (at < bytes.length) pieces.push(Buffer.from(bytes.subarray(at)));
  return pieces;
}
