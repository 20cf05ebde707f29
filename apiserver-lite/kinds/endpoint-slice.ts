import type { EndpointSlice } from 'kubernetes-types/discovery/v1.js';
import { dnsLabelFaults, dnsSubdomainFaults } from '../conventions/names.ts';
import { defineResource } from '../registry/definition.ts';
import type { ValidationContext } from '../registry/definition.ts';
import { invalid, notSupported, required, tooMany } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import { ipFamily, ipFault } from './common/ip.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';

type Slice = Loose<EndpointSlice>;
const TYPES = ['FQDN', 'IPv4', 'IPv6'];

export const endpointSlice = defineResource<Slice>({
  group: 'discovery.k8s.io', version: 'v1', kind: 'EndpointSlice', plural: 'endpointslices', singular: 'endpointslice',
  namespaced: true,
  schema: 'io.k8s.api.discovery.v1.EndpointSlice',
  columns: [
    nameColumn,
    rawColumn('AddressType', (object) => object.addressType ?? ''),
    rawColumn('Ports', (object) => firstThree((object.ports ?? []).map((port) => String(port.port ?? '*')), '<unset>')),
    rawColumn('Endpoints', (object) => firstThree((object.endpoints ?? []).flatMap((endpoint) => endpoint.addresses ?? []), '<unset>')),
    ageColumn,
  ],
  hasGeneration: true,
  defaults: (object) => {
    object.endpoints ??= [];
    for (const port of object.ports ?? []) {
      setDefault(port, 'name', '');
      setDefault(port, 'protocol', 'TCP');
    }
  },
  validate: validateSlice,
});

/** kubectl shows at most three values and says how many more there are. */
function firstThree(values: readonly string[], none: string): string {
  if (values.length === 0) return none;
  const shown = values.slice(0, 3).join(',');
  return values.length > 3 ? `${shown} + ${values.length - 3} more...` : shown;
}

function validateSlice(object: Slice, context: ValidationContext<Slice>): FieldError[] {
  const faults = new Faults();
  const { addressType, endpoints = [], ports = [] } = object;
  if (addressType === undefined) faults.add(required('addressType'));
  else if (!TYPES.includes(addressType)) faults.add(notSupported('addressType', addressType, TYPES));
  if (endpoints.length > 1000) faults.add(tooMany('endpoints', endpoints.length, 1000));
  if (ports.length > 20_000) faults.add(tooMany('ports', ports.length, 20_000));
  endpoints.forEach((endpoint, index) => {
    const at = `endpoints[${index}]`;
    const addresses = endpoint.addresses ?? [];
    if (addresses.length === 0) faults.add(required(`${at}.addresses`, 'must contain at least 1 address'));
    if (addresses.length > 100) faults.add(tooMany(`${at}.addresses`, addresses.length, 100));
    addresses.forEach((address, addressIndex) => checkAddress(faults, `${at}.addresses[${addressIndex}]`, address, addressType));
    if (endpoint.hostname !== undefined) faults.name(`${at}.hostname`, endpoint.hostname, dnsLabelFaults);
    if (endpoint.nodeName !== undefined) faults.name(`${at}.nodeName`, endpoint.nodeName, dnsSubdomainFaults);
  });
  faults.unique((index) => `ports[${index}].name`, ports, (port) => `${port.name ?? ''}.`);
  ports.forEach((port, index) => {
    if ((port.name ?? '') !== '') faults.name(`ports[${index}].name`, port.name, dnsLabelFaults);
    faults.oneOf(`ports[${index}].protocol`, port.protocol, ['SCTP', 'TCP', 'UDP']);
  });
  if (context.old !== undefined) faults.immutable('addressType', addressType, context.old.addressType);
  return faults.list;
}

function checkAddress(faults: Faults, field: string, address: string, type: string | undefined): void {
  if (type === 'FQDN') {
    faults.name(field, address, dnsSubdomainFaults);
    return;
  }
  const fault = ipFault(address);
  if (fault !== undefined || ipFamily(address) !== type) faults.add(invalid(field, address, `must be an ${type ?? 'IPv4'} address`));
  else if (/^(127\.|169\.254\.|224\.0\.0\.|0\.0\.0\.0$|::1?$|fe80:)/i.test(address)) faults.add(invalid(field, address, 'may not be in the loopback, link-local or unspecified range'));
}
