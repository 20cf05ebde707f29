/**
 * Types of objects as clients send them. Decoding has checked each present field's type against the schema, but anything may
 * be absent, also what the schema calls required: validation is what says so.
 */
export type Loose<T> = T extends readonly (infer Item)[] ? Loose<Item>[]
  : T extends object ? { -readonly [Key in keyof T]?: Loose<T[Key]> | undefined }
    : T;

/** Sets a field only when the client left it out; null counts as left out. Returns what the field holds now. */
export function setDefault<T extends object, Key extends keyof T>(object: T, key: Key, value: NonNullable<T[Key]>): NonNullable<T[Key]> {
  const current = object[key];
  if (current !== undefined && current !== null) return current;
  object[key] = value;
  return value;
}
