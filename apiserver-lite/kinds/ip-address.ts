import { defineResource } from '../registry/definition.ts';
import { invalid, required } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import type { HasMetadata } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { canonicalIp, ipFault } from './common/ip.ts';

type Parent = { group?: string; resource?: string; namespace?: string; name?: string };
type IpAddress = HasMetadata & { spec?: { parentRef?: Parent } };

export const ipAddress = defineResource<IpAddress>({
  group: 'networking.k8s.io', version: 'v1', kind: 'IPAddress', plural: 'ipaddresses', singular: 'ipaddress', shortNames: ['ip'],
  namespaced: false,
  schema: 'io.k8s.api.networking.v1.IPAddress',
  columns: [nameColumn, rawColumn('ParentRef', (object) => parentText(object.spec?.parentRef)), ageColumn],
  nameRule: 'path-segment',
  validate: (object, { old }) => {
    const faults = new Faults();
    const name = object.metadata?.name ?? '';
    const fault = ipFault(name);
    if (fault !== undefined) faults.add(invalid('metadata.name', name, fault));
    else if (canonicalIp(name) !== name) faults.add(invalid('metadata.name', name, `must be in canonical form (${canonicalIp(name)})`));
    const parent = object.spec?.parentRef;
    if (parent === undefined) faults.add(required('spec.parentRef'));
    else {
      faults.required('spec.parentRef.resource', parent.resource);
      faults.required('spec.parentRef.name', parent.name);
    }
    if (old !== undefined) faults.immutable('spec', object.spec, old.spec);
    return faults.list;
  },
});

function parentText(parent: Parent | undefined): string {
  if (parent === undefined) return '<none>';
  const resource = [parent.resource ?? '', parent.group ?? ''].filter((text) => text !== '').join('.');
  return [resource, parent.namespace ?? '', parent.name ?? ''].filter((text) => text !== '').join('/');
}
