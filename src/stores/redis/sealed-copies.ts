import { CLAIM_LIFE_MS, type Copies } from './copies.ts';
import { COPY_LIFE_MS, type CopyCodec } from './copy.ts';
import { type RedisLink, redisScript } from './link.ts';
import { refusalWord } from './open-link.ts';

const CLAIM = 'claim:';

const FILL = redisScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`);

/** Copies for this program alone: under the row's id the sealed copy, or the claim of whoever is bringing one. */
export function createSealedCopies(link: RedisLink, codec: CopyCodec, now: () => number): Copies {
  return {
    takes: () => true,
    async read(id) {
      try {
        const text = await link.send(id, ['GET', id]);
        if (typeof text !== 'string' || text.startsWith(CLAIM)) return {};
        return { copy: text };
      } catch (error) {
        if (refusalWord(error) !== 'WRONGTYPE') throw error;
        return { isRubbish: true };
      }
    },
    async claim(id, claim, over) {
      const condition = over ? [] : ['NX'];
      const command = ['SET', id, CLAIM + claim, ...condition, 'PX', String(CLAIM_LIFE_MS)];
      return (await link.send(id, command)) === 'OK';
    },
    async fill(id, claim, row) {
      const lifeMs = row === undefined ? 0 : Math.min(COPY_LIFE_MS, Math.floor(row.expiresAt - now()));
      // What has no millisecond left would be refused by Redis; the claim ends by itself.
      if (row === undefined || lifeMs < 1) return;
      await link.run(FILL, [id], [CLAIM + claim, codec.seal(row), String(lifeMs)]);
    },
    async drop(id) {
      await link.send(id, ['DEL', id]);
    },
  };
}
