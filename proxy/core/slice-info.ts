// An EndpointSlice as the proxy sees it: checked, canonical, small.
import type { Endpoint, EndpointSlice } from '@podwire/kube-client';
import { canonicalAddress, familyOf, isUsableEndpoint } from './address.ts';
import type { IpFamily } from './address.ts';
import { PROTOCOL_NUMBERS, array, isGiven, isObject, isPort } from './service-info.ts';

export interface EndpointInfo {
  readonly address: string;
  readonly isReady: boolean;
  readonly isServing: boolean;
  readonly isTerminating: boolean;
  readonly nodeName: string | undefined;
  readonly zoneHints: readonly string[] | undefined;
  readonly nodeHints: readonly string[] | undefined;
}

export interface SliceInfo {
  /** namespace/name of the Service. */
  readonly service: string;
  readonly family: IpFamily;
  readonly ports: readonly { readonly name: string; readonly protocol: number; readonly port: number }[];
  readonly endpoints: readonly EndpointInfo[];
  readonly problems: readonly string[];
}

const SERVICE_NAME_LABEL = 'kubernetes.io/service-name';
const names = new Map<string, string>();

/** Node names repeat in every slice: one copy of each is enough. */
function shared(name: unknown): string | undefined {
  if (typeof name !== 'string' || name === '') return undefined;
  const known = names.get(name);
  if (known !== undefined) return known;
  if (names.size < 100_000) names.set(name, name);
  return name;
}

/** undefined: of no Service, or of addresses that are names (FQDN). Never throws, whatever the object holds. */
export function parseSlice(slice: EndpointSlice): SliceInfo | undefined {
  const name = slice.metadata?.labels?.[SERVICE_NAME_LABEL];
  if (typeof name !== 'string' || name === '') return undefined;
  const service = `${slice.metadata?.namespace ?? ''}/${name}`;
  const family = slice.addressType === 'IPv4' ? 'ip' : slice.addressType === 'IPv6' ? 'ip6' : undefined;
  if (slice.addressType === 'FQDN') return undefined;
  if (family === undefined) return { service, family: 'ip', ports: [], endpoints: [], problems: [`addressType: ${JSON.stringify(slice.addressType)} is none of IPv4, IPv6, FQDN`] };
  const problems: string[] = [];
  for (const field of ['ports', 'endpoints'] as const) if (isGiven(slice[field]) && !Array.isArray(slice[field])) problems.push(`${field} is not a list`);
  const ports: { name: string; protocol: number; port: number }[] = [];
  for (const value of array(slice.ports)) {
    const { name: portName, protocol, port } = (isObject(value) ? value : {}) as { name?: unknown; protocol?: unknown; port?: unknown };
    const number = PROTOCOL_NUMBERS[typeof protocol === 'string' ? protocol : 'TCP'];
    if (number === undefined || !isPort(port)) problems.push(`ports: ${JSON.stringify(value)} has no usable protocol and port`);
    else ports.push({ name: typeof portName === 'string' ? portName : '', protocol: number, port });
  }
  const endpoints: EndpointInfo[] = [];
  for (const value of array(slice.endpoints)) {
    const endpoint = isObject(value) ? endpointOf(value as Endpoint, family, problems) : undefined;
    if (endpoint === undefined) problems.push(`endpoints: ${JSON.stringify(isObject(value) ? (value as Endpoint).addresses : value)} has no usable ${slice.addressType} address`);
    else endpoints.push(endpoint);
  }
  return { service, family, ports, endpoints, problems };
}

/** Conditions that are absent mean: ready, serving as ready, not terminating (API documentation of EndpointConditions). */
function endpointOf(endpoint: Endpoint, family: IpFamily, problems: string[]): EndpointInfo | undefined {
  const address = canonicalAddress(array(endpoint.addresses)[0]);
  if (address === undefined || familyOf(address) !== family || !isUsableEndpoint(address)) return undefined;
  const conditions = isObject(endpoint.conditions) ? endpoint.conditions : {};
  const isReady = conditions.ready !== false;
  if (!isFlag(conditions.ready) || !isFlag(conditions.serving) || !isFlag(conditions.terminating)) problems.push(`endpoints: conditions of ${address} are not true or false`);
  const hints = isObject(endpoint.hints) ? (endpoint.hints as { forZones?: unknown; forNodes?: unknown }) : undefined;
  return {
    address,
    isReady,
    isServing: typeof conditions.serving === 'boolean' ? conditions.serving : isReady,
    isTerminating: conditions.terminating === true,
    nodeName: shared(endpoint.nodeName),
    zoneHints: hintNames(hints?.forZones),
    nodeHints: hintNames(hints?.forNodes),
  };
}

function isFlag(value: unknown): boolean { return !isGiven(value) || typeof value === 'boolean'; }

function hintNames(value: unknown): readonly string[] | undefined {
  if (!isGiven(value)) return undefined;
  const found = array(value).filter(isObject).map((hint) => shared((hint as { name?: unknown }).name)).filter((name) => name !== undefined);
  return found.length === 0 ? undefined : found;
}
