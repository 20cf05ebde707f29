import type { FieldError } from './field-error.ts';

/**
 * One kind, declared once: routes, discovery, OpenAPI, tables, defaults and validation all come from its
 * `ResourceDefinition`. Adding a kind is adding one file that exports one definition.
 */
export type ObjectMetadata = {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string | null;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean; blockOwnerDeletion?: boolean }[];
  managedFields?: unknown[];
  [key: string]: unknown;
};

/** Any object of the API, when its kind is not known statically. */
export type ApiObject = { apiVersion: string; kind: string; metadata: ObjectMetadata; [key: string]: unknown };

/** Where an object lives: `resource` is the plural. */
export type GroupResource = Readonly<{ group: string; resource: string }>;

export type Cell = string | number | boolean | null;

export type Column<T = ApiObject> = Readonly<{
  name: string;
  type: 'string' | 'integer' | 'number' | 'boolean' | 'date';
  /** 'name' marks the name column. */
  format?: string;
  /** 0 (default): always shown; 1: only with `-o wide`. */
  priority?: number;
  description?: string;
  /** Pure; `nowMs` for ages. kubectl prints the cell as it is, so format durations with `age`. */
  cell: (object: T, nowMs: number) => Cell;
}>;

export type ValidationContext<T = ApiObject> = Readonly<{
  operation: 'create' | 'update';
  /** The stored object, on update. */
  old?: T;
  /** 'status', 'ephemeralcontainers', ... when the write comes through a subresource. */
  subresource?: string;
  nowMs: number;
}>;

/** Addresses and ports that only one object may hold, kept in the store beside the objects. */
export type Claims = Readonly<{
  /** Who holds a key: 'default/web', or undefined. */
  owner(key: string): string | undefined;
  /** Takes a key for the object of this write; false when another object holds it. Undone when the write fails. */
  take(key: string): boolean;
  /** Gives a key back when this write commits. */
  release(key: string): void;
  /** How many keys start with a prefix, e.g. `ip/10.96.0.0/16/`. */
  count(prefix: string): number;
}>;

export type AllocationContext<T = ApiObject> = Readonly<{
  operation: 'create' | 'update' | 'delete';
  old?: T;
  claims: Claims;
  settings: AllocationSettings;
}>;

export type AllocationSettings = Readonly<{
  /** One or two CIDRs, the first is the cluster's primary family. */
  serviceClusterIpRanges: readonly string[];
  serviceNodePortRange: Readonly<{ from: number; to: number }>;
}>;

export type ScalePaths = Readonly<{ specReplicas: string; statusReplicas: string; labelSelector: string }>;

export type ExtraSubresource = Readonly<{
  /** Path element: 'log', 'exec', 'eviction', 'binding', 'token'. */
  name: string;
  kind: string;
  group?: string;
  version?: string;
  verbs: readonly string[];
}>;

export type DeletionDecision = Readonly<{
  /** 0: remove now (unless finalizers hold it); more: set deletionTimestamp and wait for the second delete with 0. */
  gracePeriodSeconds: number;
}>;

/** Objects of another kind or version under a second name: stored once, served twice. */
export type View = Readonly<{
  /** The kind that is stored; this definition's columns and selectable fields read objects of that kind. */
  of: ResourceDefinition;
  /** Both may reuse parts of their argument, which is the caller's own copy. */
  fromStored: (object: ApiObject) => ApiObject;
  toStored: (object: ApiObject) => ApiObject;
}>;

export type ResourceDefinition<T = ApiObject> = Readonly<{
  group: string;
  version: string;
  kind: string;
  plural: string;
  singular: string;
  shortNames?: readonly string[];
  categories?: readonly string[];
  namespaced: boolean;
  /** Name in the schema table: 'io.k8s.api.core.v1.Pod'. */
  schema: string;
  /** Set when objects of this kind are stored as objects of another: defaults, validation and storage are then that kind's. */
  view?: View;
  /** Left out: all of create, delete, deletecollection, get, list, patch, update, watch. */
  verbs?: readonly string[];
  subresources?: Readonly<{ status?: boolean; scale?: ScalePaths; others?: readonly ExtraSubresource[] }>;
  /** Left out: Name and Age. */
  columns?: readonly Column<T>[];
  /** Field selectors beside metadata.name and metadata.namespace, e.g. 'spec.nodeName'. A missing value is ''. */
  selectableFields?: Readonly<Record<string, (object: T) => string>>;
  /** What a name may be; left out: DNS subdomain. */
  nameRule?: 'dns-subdomain' | 'dns-label' | 'dns-1035-label' | 'path-segment';
  /** False for kinds without metadata.generation (ConfigMap, Event...). Left out: true when the object has a spec. */
  hasGeneration?: boolean;
  /** Fills absent fields in place. Runs on create, update and on every patch result. Idempotent. */
  defaults?: (object: T) => void;
  /** In place, before validation: server-set fields of a new object. The generic code has already dropped `status` when there is a status subresource. */
  prepareCreate?: (object: T) => void;
  /** In place: carry over what a user's update may not change or may leave out (clusterIP...). Status has been carried over already. */
  prepareUpdate?: (object: T, old: T) => void;
  /** Every fault at once, not only the first. Metadata is validated by the generic code. */
  validate?: (object: T, context: ValidationContext<T>) => FieldError[];
  /** Texts of `Warning:` headers, e.g. for deprecated fields. */
  warnings?: (object: T, old?: T) => string[];
  /** Runs inside the store transaction of create, update and removal; changes the object in place. */
  allocate?: (object: T, context: AllocationContext<T>) => FieldError[];
  /** Pods: how long a deletion may take. `requested` is DeleteOptions.gracePeriodSeconds. */
  deletion?: (object: T, requested: number | undefined) => DeletionDecision;
}>;

/** Declares a kind with its own object type; the registry sees all kinds as `ApiObject`. */
export function defineResource<T>(definition: ResourceDefinition<T>): ResourceDefinition {
  return definition as unknown as ResourceDefinition;
}
