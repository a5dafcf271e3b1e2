/** Makes the value of the `Date` header, anew once a second (RFC 9110, section 6.6.1). */
export function createDateHeader(now: () => number): () => string {
  let second = -1;
  let value = '';
  return () => {
    const current = Math.floor(now() / 1000);
    if (current !== second) {
      second = current;
      value = new Date(current * 1000).toUTCString();
    }
    return value;
  };
}
