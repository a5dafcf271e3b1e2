import { type BoundedMap, createBoundedMap } from '../bounded.ts';
import type { User } from './user.ts';

/** How many codes of an account are remembered; an older one is unknown. */
const REMEMBERED_CODES = 10_000;

/** What a code is good for: a mini program's login, an OAuth consent, a phone number. */
export type CodeUse = 'login' | 'oauth' | 'phone';

/** A one-shot code. */
export interface Code {
  readonly value: string;
  readonly use: CodeUse;
  readonly user: User;
  /** Milliseconds since the Unix epoch; Infinity for text that was never issued. */
  readonly expiresAt: number;
  readonly used: boolean;
  /** The scope the user consented to; undefined: the account's usual one. */
  readonly scope: string | undefined;
  readonly snapshot: boolean;
  /** The redirect_uri that must come with the code again (QQ Connect); undefined: any. */
  readonly redirectUri: string | undefined;
}

/** Why a code cannot be used. */
export type CodeRefusal = 'unknown' | 'used' | 'expired' | 'blocked';

/** The one-shot codes of an account. */
export interface CodeBook {
  /** Adds a code that a client was given. */
  issue(code: Code): void;
  /**
   * The code with this text. While any text is taken, unknown text is a code as well: `invalid…` is
   * refused as unknown and `blocked…` as a blocked user's; what stands before the first `:` names the
   * user, so `alice:1` and `alice:2` are two codes of one user.
   */
  look(use: CodeUse, value: string, now: number, takesAny: boolean): Code | CodeRefusal;
  /** Marks the code as used. */
  spend(code: Code): void;
}

/** @param userNamed the user of that name, made on first use */
export function createCodeBook(userNamed: (name: string) => User): CodeBook {
  const codes: BoundedMap<Code> = createBoundedMap(REMEMBERED_CODES);
  const keyOf = ({ use, value }: Pick<Code, 'use' | 'value'>): string => `${use} ${value}`;
  return {
    issue: code => codes.set(keyOf(code), code),
    look(use, value, now, takesAny) {
      const issued = codes.get(keyOf({ use, value }));
      if (issued?.used === true) return 'used';
      if (issued !== undefined && now >= issued.expiresAt) return 'expired';
      if (issued !== undefined) return issued.user.blocked ? 'blocked' : issued;
      if (!takesAny || value === '' || value.startsWith('invalid')) return 'unknown';
      if (value.startsWith('blocked')) return 'blocked';
      const [name = value] = value.split(':');
      const user = userNamed(name === '' ? value : name);
      if (user.blocked) return 'blocked';
      return {
        value,
        use,
        user,
        expiresAt: Number.POSITIVE_INFINITY,
        used: false,
        scope: undefined,
        snapshot: false,
        redirectUri: undefined,
      };
    },
    spend: code => codes.set(keyOf(code), { ...code, used: true }),
  };
}
