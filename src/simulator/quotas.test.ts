import { describe, expect, test } from 'vitest';
import { chinaDayOf, chinaMonthOf, createQuotaBook, DEFAULT_QUOTAS } from './quotas.ts';

const china = (iso: string): number => Date.parse(`${iso}+08:00`);

describe('periods turn at midnight in China', () => {
  test('days', () => {
    const day = chinaDayOf(china('2024-01-15T00:00:00'));
    expect(chinaDayOf(china('2024-01-15T23:59:59.999'))).toBe(day);
    expect(chinaDayOf(china('2024-01-16T00:00:00'))).toBe(day + 1);
  });

  test('months', () => {
    const month = chinaMonthOf(china('2023-12-31T23:59:59.999'));
    expect(chinaMonthOf(china('2024-01-01T00:00:00'))).toBe(month + 1);
    expect(chinaMonthOf(china('2024-02-01T00:00:00'))).toBe(month + 2);
  });
});

describe('quota book', () => {
  const now = china('2024-01-15T10:00:00');
  const tomorrow = china('2024-01-16T00:00:00');
  const book = (change: Partial<typeof DEFAULT_QUOTAS>) =>
    createQuotaBook(() => ({ ...DEFAULT_QUOTAS, ...change }));

  test('a daily limit refuses without counting, until the next day', () => {
    const quotas = book({ apiPerDay: 2 });
    expect([1, 2, 3].map(() => quotas.spend('/a', now))).toEqual([true, true, false]);
    expect(quotas.usedOf('/a', now)).toBe(2);
    expect(quotas.spend('/b', now)).toBe(true);
    expect(quotas.usedOf('/a', tomorrow)).toBe(0);
    expect(quotas.spend('/a', tomorrow)).toBe(true);
  });

  test('the limit of a single path goes before the others', () => {
    const quotas = book({ paths: { '/cgi-bin/token': 1, '/a': 5 } });
    expect(quotas.limitOf('/cgi-bin/token')).toBe(1);
    expect(quotas.limitOf('/a')).toBe(5);
    expect(quotas.limitOf('/cgi-bin/stable_token')).toBe(500_000);
    expect(quotas.limitOf('/cgi-bin/ticket/getticket')).toBe(2000);
  });

  test('a clear resets every path, ten times a month', () => {
    const quotas = book({ apiPerDay: 1 });
    for (let i = 0; i < 10; i += 1) {
      expect(quotas.spend('/a', now)).toBe(true);
      expect(quotas.clear(now)).toBe(true);
    }
    expect(quotas.clear(now)).toBe(false);
    expect(quotas.clear(china('2024-02-01T00:00:00'))).toBe(true);
  });

  test('the minute is a minute of the clock', () => {
    const quotas = book({ stablePerMinute: 1 });
    expect(quotas.spendStableMinute(now)).toBe(true);
    expect(quotas.spendStableMinute(now + 59_999)).toBe(false);
    expect(quotas.spendStableMinute(now + 60_000)).toBe(true);
  });
});
