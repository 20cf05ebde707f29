/** Same shape as the registry's DecodedBody. */
export type DecodedBody = Readonly<{
  object: unknown;
  /** Paths of keys that stand more than once (`spec.replicas`), for fieldValidation; the last one won. */
  duplicates: readonly string[];
}>;
