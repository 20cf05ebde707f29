/** What a field holds. Exactly one of `type`, `ref` or neither (any value). */
export type FieldSchema = Readonly<{
  type?: 'string' | 'integer' | 'number' | 'boolean' | 'object' | 'array';
  format?: string;
  /** Name of another type in the table. */
  ref?: string;
  /** Elements of an array. */
  items?: FieldSchema;
  /** Values of a map with free keys. */
  values?: FieldSchema;
  /** How server-side apply treats a list: as one value, a set, or a map by `listMapKeys`. */
  listType?: 'atomic' | 'set' | 'map';
  listMapKeys?: readonly string[];
  mapType?: 'atomic' | 'granular';
  /** Strategic merge patch: the key of list elements, and merge / replace / retainKeys (comma-separated). */
  mergeKey?: string;
  patchStrategy?: string;
  /** The zero value that OpenAPI shows; not what the server fills in. */
  default?: unknown;
}>;

export type TypeSchema = Readonly<{
  /** Absent for scalars and free-form types (Time, Quantity, IntOrString, FieldsV1, RawExtension, JSON...). */
  fields?: Readonly<Record<string, FieldSchema>>;
  required?: readonly string[];
  type?: 'string' | 'object';
  format?: string;
  /** IntOrString: integer|string; Quantity: string|number. */
  oneOf?: readonly string[];
  mapType?: 'atomic' | 'granular';
  /** The kinds this type is the top level of. */
  kinds?: readonly Readonly<{ group: string; version: string; kind: string }>[];
}>;

/** Type name (`io.k8s.api.core.v1.PodSpec`) to its schema. */
export type SchemaTable = Readonly<Record<string, TypeSchema>>;
