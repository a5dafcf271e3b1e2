import { z } from 'zod';
import type { BridgeError } from '../base/errors.ts';

/** Every refusal of this program, in both dialects: the platform's and the hosted gateway's. */
export const errorBody = z
  .object({
    errcode: z.number().int(),
    errmsg: z.string(),
    request_id: z.string(),
    error_type: z.string(),
    error_code: z.string(),
    error_message: z.string(),
  })
  .meta({ id: 'Error' });

export type ErrorBody = z.infer<typeof errorBody>;

/** An error as every listener of this program tells it. The message carries the hint, so that it mends itself in any client. */
export function errorBodyOf(error: BridgeError, requestId: string): ErrorBody {
  const { errcode, hint, upstream } = error;
  const verdict =
    upstream === undefined || error.message.includes(upstream.errmsg)
      ? ''
      : `: the platform said ${upstream.errcode} ${upstream.errmsg}`;
  const message = `${error.message}${verdict}${hint === undefined ? '' : `; ${hint}`}`;
  return {
    errcode,
    errmsg: message,
    request_id: requestId,
    error_type: error.traits.errorType,
    error_code: String(errcode),
    error_message: message,
  };
}
