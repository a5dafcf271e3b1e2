import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Secret } from '../base/secret.ts';
import { createVirtualTokens, looksVirtual, VIRTUAL_LIFE_SECONDS } from './virtual-tokens.ts';

const START = Date.parse('2026-03-01T04:00:00.700Z');

function tokensAt(now: () => number, keyByte = 1) {
  let nonce = 0;
  const key = new Secret(Buffer.alloc(32, keyByte).toString('base64'));
  return createVirtualTokens({ key, now, nonce: () => String(nonce++) });
}

const grants = fc.record({
  caller: fc.string({ minLength: 1 }),
  grounds: fc.string(),
  appid: fc.string({ minLength: 1 }),
});

describe('virtual tokens', () => {
  it('say what they were issued for, whatever the names', () => {
    const tokens = tokensAt(() => START);
    fc.assert(
      fc.property(grants, grant => {
        const token = tokens.issue(grant);
        expect(token).toMatch(/^OBV1[A-Za-z0-9_-]+$/);
        expect(looksVirtual(token)).toBe(true);
        const opened = tokens.open(token);
        expect(opened).toMatchObject({ ok: true, claim: grant });
      }),
    );
  });

  it('differ even at one moment, and begin and end to the millisecond', () => {
    let now = START;
    const tokens = tokensAt(() => now);
    const grant = { caller: 'a', grounds: 'address', appid: 'wx1' };
    const token = tokens.issue(grant);
    expect(tokens.issue(grant)).not.toBe(token);
    const end = START + VIRTUAL_LIFE_SECONDS * 1000;
    now = end - 1;
    expect(tokens.open(token)).toMatchObject({ ok: true, claim: { issuedAt: START, expiresAt: end } });
    now = end;
    expect(tokens.open(token)).toEqual({ ok: false, because: 'expired' });
  });

  it('do not open after any change of any character', () => {
    const tokens = tokensAt(() => START);
    const token = tokens.issue({ caller: 'orders', grounds: 'key:0123456789abcdef', appid: 'wx1' });
    fc.assert(
      fc.property(fc.nat({ max: token.length - 1 }), fc.constantFrom(...'AZaz09-_.'), (at, letter) => {
        fc.pre(token[at] !== letter);
        const changed = token.slice(0, at) + letter + token.slice(at + 1);
        // The last character of a base64url MAC has spare bits: spellings of one and the same MAC are one token.
        fc.pre(
          !Buffer.from(changed.slice(-22), 'base64url').equals(Buffer.from(token.slice(-22), 'base64url')) ||
            at < token.length - 22,
        );
        expect(tokens.open(changed).ok).toBe(false);
      }),
    );
  });

  it('do not open under another key, and garbage never throws', () => {
    const token = tokensAt(() => START).issue({ caller: 'a', grounds: 'address', appid: 'wx1' });
    expect(tokensAt(() => START, 2).open(token)).toEqual({ ok: false, because: 'malformed' });
    fc.assert(
      fc.property(fc.string(), text => {
        expect(tokensAt(() => START).open(`OBV1${text}`).ok).toBe(false);
      }),
    );
  });

  it('need a key worth the name', () => {
    expect(() => createVirtualTokens({ key: new Secret('c2hvcnQ='), now: () => 0, nonce: () => '' })).toThrow(
      /32 bytes/,
    );
  });
});
