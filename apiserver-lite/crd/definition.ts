import { timestamp } from '../rest/metadata.ts';
import { defineResource } from '../registry/definition.ts';
import type { ApiObject } from '../registry/definition.ts';
import { invalid, notSupported, required } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';

/** JSONSchemaProps, as far as the server looks into it. */
export type JsonSchema = Readonly<{
  type?: string; format?: string; properties?: Readonly<Record<string, JsonSchema>>; items?: JsonSchema; additionalProperties?: JsonSchema | boolean;
  required?: readonly string[]; enum?: readonly unknown[]; default?: unknown; nullable?: boolean; pattern?: string;
  minimum?: number; maximum?: number; exclusiveMinimum?: boolean; exclusiveMaximum?: boolean; multipleOf?: number;
  minLength?: number; maxLength?: number; minItems?: number; maxItems?: number; minProperties?: number; maxProperties?: number; uniqueItems?: boolean;
  oneOf?: readonly JsonSchema[]; anyOf?: readonly JsonSchema[]; allOf?: readonly JsonSchema[]; not?: JsonSchema;
  'x-kubernetes-preserve-unknown-fields'?: boolean; 'x-kubernetes-int-or-string'?: boolean; 'x-kubernetes-embedded-resource'?: boolean;
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'; 'x-kubernetes-list-map-keys'?: readonly string[]; 'x-kubernetes-map-type'?: 'atomic' | 'granular';
}>;

export type CrdColumn = Readonly<{ name: string; type: string; jsonPath: string; format?: string; description?: string; priority?: number }>;

export type CrdVersion = Readonly<{
  name: string; served: boolean; storage: boolean; schema?: Readonly<{ openAPIV3Schema?: JsonSchema }>;
  subresources?: Readonly<{ status?: object; scale?: Readonly<{ specReplicasPath: string; statusReplicasPath: string; labelSelectorPath?: string }> }>;
  additionalPrinterColumns?: readonly CrdColumn[]; selectableFields?: readonly Readonly<{ jsonPath: string }>[];
}>;

export type Crd = ApiObject & {
  spec: { group: string; scope: 'Namespaced' | 'Cluster'; names: { plural: string; singular?: string; kind: string; listKind?: string; shortNames?: string[]; categories?: string[] }; versions: CrdVersion[]; conversion?: { strategy: string } };
  status?: Record<string, unknown>;
};

function validate(object: Crd): FieldError[] {
  const errors: FieldError[] = [];
  const { group, names, scope, versions } = (object['spec'] as Partial<Crd['spec']> | undefined) ?? {};
  if (!group) errors.push(required('spec.group'));
  if (!names?.plural) errors.push(required('spec.names.plural'));
  if (!names?.kind) errors.push(required('spec.names.kind'));
  if (scope === undefined) errors.push(required('spec.scope'));
  else if (!['Cluster', 'Namespaced'].includes(scope)) errors.push(notSupported('spec.scope', scope, ['Cluster', 'Namespaced']));
  const wanted = `${names?.plural ?? ''}.${group ?? ''}`;
  if (object.metadata.name !== wanted) errors.push(invalid('metadata.name', object.metadata.name, `must be spec.names.plural+"."+spec.group`));
  if ((versions ?? []).filter(({ storage }) => storage).length !== 1) errors.push(invalid('spec.versions', versions?.map(({ name }) => name) ?? null, 'must have exactly one version marked as storage version'));
  for (const [index, version] of (versions ?? []).entries()) {
    if (!/^[a-z]([-a-z0-9]*[a-z0-9])?$/.test(version.name)) errors.push(invalid(`spec.versions[${index}].name`, version.name, 'must be a DNS-1035 label'));
    if (version.schema?.openAPIV3Schema === undefined) errors.push(required(`spec.versions[${index}].schema.openAPIV3Schema`, 'schemas are required'));
  }
  return errors;
}

export const customResourceDefinition = defineResource<Crd>({
  group: 'apiextensions.k8s.io', version: 'v1', kind: 'CustomResourceDefinition', plural: 'customresourcedefinitions', singular: 'customresourcedefinition',
  shortNames: ['crd', 'crds'], categories: ['api-extensions'], namespaced: false,
  schema: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition', subresources: { status: true },
  columns: [
    { name: 'Name', type: 'string', format: 'name', cell: (object) => object.metadata.name },
    { name: 'Created At', type: 'date', cell: (object) => object.metadata.creationTimestamp ?? '' },
  ],
  defaults: ({ spec }) => {
    const partial = spec as Partial<Crd['spec']> | undefined;
    if (partial?.names === undefined) return;
    partial.names.singular ??= partial.names.kind.toLowerCase();
    partial.names.listKind ??= `${partial.names.kind}List`;
    partial.conversion ??= { strategy: 'None' };
  },
  prepareCreate: (object) => {
    const now = timestamp(Date.now());
    const condition = (type: string, reason: string, message: string): object => ({ type, status: 'True', reason, message, lastTransitionTime: now });
    object.status = {
      acceptedNames: object.spec.names, storedVersions: object.spec.versions.filter(({ storage }) => storage).map(({ name }) => name),
      conditions: [condition('NamesAccepted', 'NoConflicts', 'no conflicts found'), condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted')],
    };
  },
  validate,
});
