/** A platform's refusal in a JSON answer, word for word. */
export interface Verdict {
  /** NaN when what stands in its place is no number. */
  readonly errcode: number;
  readonly errmsg: string;
}

/** Reads a verdict from the two fields that carry it; undefined when the code is missing or 0, which is success. */
export function verdictOf(code: unknown, message: unknown): Verdict | undefined {
  const errcode = Number(code ?? 0);
  return errcode === 0 ? undefined : { errcode, errmsg: String(message ?? '') };
}
