import { addTypeSchema } from '../../schema/table.ts';
import type { FieldSchema } from '../../schema/types.ts';

/** ServiceCIDR and IPAddress became stable after the version that the schema table is made from. */
const NETWORKING = 'io.k8s.api.networking.v1';
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const text: FieldSchema = { type: 'string' };
const group = 'networking.k8s.io';

function topLevel(spec: string, status?: string): Record<string, FieldSchema> {
  return {
    apiVersion: text,
    kind: text,
    metadata: { ref: `${META}.ObjectMeta`, default: {} },
    spec: { ref: `${NETWORKING}.${spec}`, default: {} },
    ...(status !== undefined && { status: { ref: `${NETWORKING}.${status}`, default: {} } }),
  };
}

export function addServiceNetworkSchemas(): void {
  addTypeSchema(`${NETWORKING}.ServiceCIDR`, { fields: topLevel('ServiceCIDRSpec', 'ServiceCIDRStatus'), kinds: [{ group, version: 'v1', kind: 'ServiceCIDR' }] });
  addTypeSchema(`${NETWORKING}.ServiceCIDRSpec`, { fields: { cidrs: { type: 'array', items: text, listType: 'atomic' } } });
  addTypeSchema(`${NETWORKING}.ServiceCIDRStatus`, {
    fields: {
      conditions: { type: 'array', items: { ref: `${META}.Condition`, default: {} }, listType: 'map', listMapKeys: ['type'], mergeKey: 'type', patchStrategy: 'merge' },
    },
  });
  addTypeSchema(`${NETWORKING}.IPAddress`, { fields: topLevel('IPAddressSpec'), kinds: [{ group, version: 'v1', kind: 'IPAddress' }] });
  addTypeSchema(`${NETWORKING}.IPAddressSpec`, { fields: { parentRef: { ref: `${NETWORKING}.ParentReference` } }, required: ['parentRef'] });
  addTypeSchema(`${NETWORKING}.ParentReference`, { fields: { group: text, name: text, namespace: text, resource: text }, required: ['resource', 'name'] });
}
