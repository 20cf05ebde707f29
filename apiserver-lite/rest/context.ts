import type { ClusterCache } from '../cache/cluster-cache.ts';
import type { AllocationSettings, ApiObject, ResourceDefinition } from '../registry/definition.ts';
import type { Registry } from '../registry/registry.ts';
import type { Store } from '../store/store.ts';

export type User = Readonly<{ name: string; uid?: string; groups: readonly string[]; extra?: Readonly<Record<string, readonly string[]>> }>;

export type AdmissionRequest = Readonly<{
  operation: 'create' | 'update' | 'delete';
  definition: ResourceDefinition;
  namespace: string | undefined;
  subresource?: string;
  /** May be changed in place. */
  object: ApiObject;
  old?: Readonly<ApiObject>;
  user: User;
  dryRun: boolean;
}>;

/** Throws StatusError to refuse. Runs after defaults, before validation. */
export type Admission = (context: RestContext, request: AdmissionRequest) => void;

/** What every REST operation works with. */
export type RestContext = Readonly<{
  registry: Registry;
  store: Store;
  cache: ClusterCache;
  settings: AllocationSettings;
  admissions: readonly Admission[];
  now: () => number;
}>;

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export type WriteOptions = Readonly<{
  dryRun: boolean;
  fieldValidation: FieldValidation;
  fieldManager: string;
  user: User;
  /** Server-side apply has written managedFields already. */
  managersRecorded?: boolean;
  /** Collects the texts of `Warning:` headers. */
  warnings: string[];
}>;

export type Target = Readonly<{ definition: ResourceDefinition; namespace: string | undefined; name: string; subresource?: string; /** The view through which the client writes. */ view?: ResourceDefinition }>;
