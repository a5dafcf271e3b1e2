import { CLAIM_LIFE_MS, type Copies } from './copies.ts';
import type { CopyCodec } from './copy.ts';
import { type RedisLink, redisScript } from './link.ts';

/*
 * KEYS[1] is uniCloud's: the value object as JSON. KEYS[2] is ours beside it: `own`, the SHA-1 of the value
 * we put there, by which it is told from what uniCloud wrote; `copy`, the sealed copy; `claim` and `at`, who
 * is bringing a new one and since when.
 */

const READ = redisScript(`
local plain = redis.pcall('GET', KEYS[1])
if type(plain) == 'table' then plain = false end
local ours = redis.pcall('HMGET', KEYS[2], 'own', 'copy')
if ours.err then ours = { false, false } end
local own = plain and ours[1] == redis.sha1hex(plain)
return { plain, own and 1 or 0, own and ours[2], redis.call('PTTL', KEYS[1]) }`);

const CLAIM = redisScript(`
if redis.call('TYPE', KEYS[2]).ok ~= 'hash' then redis.call('DEL', KEYS[2]) end
local at = tonumber(redis.call('HGET', KEYS[2], 'at') or '')
local now = tonumber(ARGV[2])
if ARGV[4] == '0' and at and now >= at and now - at < tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[2], 'claim', ARGV[1], 'at', ARGV[2])
redis.call('HDEL', KEYS[2], 'copy')
local left = redis.call('PTTL', KEYS[1])
if left == -2 then redis.call('PEXPIRE', KEYS[2], ARGV[3])
elseif left == -1 then redis.call('PERSIST', KEYS[2])
else redis.call('PEXPIRE', KEYS[2], left + tonumber(ARGV[3])) end
return 1`);

/** ARGV[4] is the life in seconds, 0 for never ending. */
const FILL = redisScript(`
if redis.call('HGET', KEYS[2], 'claim') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'own', redis.sha1hex(ARGV[2]), 'copy', ARGV[3])
if ARGV[4] == '0' then redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[4])
  redis.call('EXPIRE', KEYS[2], ARGV[4])
end
return 1`);

/** Takes away what we put there; what uniCloud wrote stays. */
const CLEAR = redisScript(`
if redis.call('HGET', KEYS[2], 'claim') ~= ARGV[1] then return 0 end
local plain = redis.pcall('GET', KEYS[1])
if type(plain) == 'string' and redis.call('HGET', KEYS[2], 'own') == redis.sha1hex(plain) then
  redis.call('DEL', KEYS[1])
end
redis.call('DEL', KEYS[2])
return 1`);

/**
 * Copies that uniCloud reads too: under the row's id the value object, as uni-open-bridge-common writes it
 * (`SET key json EX seconds`, or without an end), and what is ours under a key beside it.
 */
export function createPlainCopies(link: RedisLink, codec: CopyCodec, now: () => number): Copies {
  return {
    // With a brace in it the two keys would be in different slots of a cluster.
    takes: id => !/[{}]/.test(id),
    async read(id) {
      const reply = (await link.run(READ, keysOf(id), [])) as [unknown, unknown, unknown, unknown];
      const [plain, own, copy, left] = reply;
      if (typeof plain !== 'string') return {};
      if (own === 1) return typeof copy === 'string' ? { copy } : {};
      return { foreign: { value: plain, lifeMs: Number(left) < 0 ? undefined : Number(left) } };
    },
    async claim(id, claim, over) {
      const values = [claim, String(now()), String(CLAIM_LIFE_MS), over ? '1' : '0'];
      return (await link.run(CLAIM, keysOf(id), values)) === 1;
    },
    async fill(id, claim, row) {
      const seconds = row === undefined ? 0 : Math.floor((row.expiresAt - now()) / 1000);
      if (row === undefined || seconds < 1) {
        await link.run(CLEAR, keysOf(id), [claim]);
        return;
      }
      const life = Number.isFinite(seconds) ? String(seconds) : '0';
      await link.run(FILL, keysOf(id), [claim, row.value, codec.seal(row), life]);
    },
  };
}

/** The braces put our key into the slot of uniCloud's. */
function keysOf(id: string): readonly [string, string] {
  return [id, `open-bridge:{${id}}`];
}
