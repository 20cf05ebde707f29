import type { EndpointSubset, Endpoints } from 'kubernetes-types/core/v1.js';
import { portNumberFaults } from '../conventions/names.ts';
import { defineResource } from '../registry/definition.ts';
import { invalid, invalidEach, required } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { ipFault } from './common/ip.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';

export const endpoints = defineResource<Loose<Endpoints>>({
  group: '', version: 'v1', kind: 'Endpoints', plural: 'endpoints', singular: 'endpoints', shortNames: ['ep'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Endpoints',
  columns: [nameColumn, rawColumn('Endpoints', (object) => addressesText(object.subsets ?? [])), ageColumn],
  hasGeneration: false,
  defaults: (object) => {
    for (const subset of object.subsets ?? []) for (const port of subset.ports ?? []) setDefault(port, 'protocol', 'TCP');
  },
  validate: (object) => {
    const faults = new Faults();
    object.subsets?.forEach((subset, index) => checkSubset(faults, `subsets[${index}]`, subset));
    return faults.list;
  },
});

function addressesText(subsets: readonly Loose<EndpointSubset>[]): string {
  const all = subsets.flatMap(({ addresses = [], ports = [] }) => (ports.length === 0
    ? addresses.map((address) => address.ip ?? '')
    : ports.flatMap((port) => addresses.map((address) => hostPort(address.ip ?? '', port.port ?? 0)))));
  if (all.length === 0) return '<none>';
  return all.length > 3 ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...` : all.join(',');
}

function hostPort(ip: string, port: number): string {
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function checkSubset(faults: Faults, path: string, subset: Loose<EndpointSubset>): void {
  if ((subset.addresses ?? []).length === 0 && (subset.notReadyAddresses ?? []).length === 0) {
    faults.add(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  }
  for (const list of ['addresses', 'notReadyAddresses'] as const) {
    subset[list]?.forEach(({ ip = '' }, index) => {
      const fault = ipFault(ip);
      if (fault !== undefined) faults.add(invalid(`${path}.${list}[${index}].ip`, ip, fault));
    });
  }
  subset.ports?.forEach((port, index) => {
    if ((subset.ports ?? []).length > 1) faults.required(`${path}.ports[${index}].name`, port.name);
    faults.add(...invalidEach(`${path}.ports[${index}].port`, port.port ?? 0, portNumberFaults(port.port ?? 0)));
    faults.oneOf(`${path}.ports[${index}].protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
  });
}
