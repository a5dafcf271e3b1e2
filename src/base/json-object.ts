/** A JSON object, as it is read from text: nothing is known of its fields. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** The object that a text is in JSON; undefined for any other text, arrays and null included. */
export function jsonObjectIn(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as JsonObject)
      : undefined;
  } catch {
    return undefined;
  }
}
