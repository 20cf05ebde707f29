import { defineResource } from '../registry/definition.ts';
import { invalid, required } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import type { HasMetadata } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { cidrFault, ipFamily } from './common/ip.ts';

type ServiceCidr = HasMetadata & { spec?: { cidrs?: string[] }; status?: object };

export const serviceCidr = defineResource<ServiceCidr>({
  group: 'networking.k8s.io', version: 'v1', kind: 'ServiceCIDR', plural: 'servicecidrs', singular: 'servicecidr',
  namespaced: false,
  schema: 'io.k8s.api.networking.v1.ServiceCIDR',
  subresources: { status: true },
  columns: [nameColumn, rawColumn('CIDRs', (object) => (object.spec?.cidrs ?? []).join(',')), ageColumn],
  validate: (object, { old, subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    const cidrs = object.spec?.cidrs ?? [];
    if (cidrs.length === 0) faults.add(required('spec.cidrs', 'at least one CIDR required'));
    if (cidrs.length > 2) faults.add(invalid('spec', cidrs, 'may only hold up to 2 values'));
    cidrs.forEach((cidr, index) => {
      const fault = cidrFault(cidr);
      if (fault !== undefined) faults.add(invalid(`spec.cidrs[${index}]`, cidr, fault));
    });
    if (cidrs.length === 2 && ipFamily(cidrs[0] ?? '') === ipFamily(cidrs[1] ?? '')) {
      faults.add(invalid('spec', cidrs, 'may specify no more than one IP for each IP family'));
    }
    if (old !== undefined) faults.immutable('spec.cidrs', cidrs, old.spec?.cidrs ?? []);
    return faults.list;
  },
});
