// Do the rows in the kernel lead where the API's objects want them to? When they do not, a proxy has not followed: a finding. Pure.
import type { Service } from '@podwire/kube-client';
import { Directory } from './correlate/world.ts';
import type { World } from './correlate/world.ts';
import type { Predicted } from './model.ts';
import { endText } from './packet/decode.ts';

export interface Asked {
  readonly world: World;
  readonly host: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Ready endpoints of the address's family; when none is ready, those that still serve while they terminate. */
function endpointsOf({ world, host, port, protocol }: Asked, service: Service): readonly string[] {
  const speaks = (one: { readonly protocol?: string }): boolean => (one.protocol ?? 'TCP').toLowerCase() === protocol;
  const isNode = new Directory(world).node(host) !== undefined;
  const portName = service.spec?.ports?.find((one) => speaks(one) && (isNode ? one.nodePort : one.port) === port)?.name ?? '';
  const family = host.includes(':') ? 'IPv6' : 'IPv4';
  const own = world.slices.filter(({ metadata, addressType }) => addressType === family && metadata?.namespace === service.metadata?.namespace && metadata?.labels?.['kubernetes.io/service-name'] === service.metadata?.name);
  const all = own.flatMap(({ ports, endpoints }) => (ports ?? []).filter(({ name }) => (name ?? '') === portName).flatMap((one) => endpoints.map((endpoint) => ({ endpoint, address: endText(endpoint.addresses[0] ?? '', one.port ?? 0) }))));
  const ready = all.filter(({ endpoint }) => endpoint.conditions?.ready !== false);
  const chosen = ready.length > 0 ? ready : all.filter(({ endpoint }) => endpoint.conditions?.serving === true && endpoint.conditions.terminating === true);
  return chosen.map(({ address }) => address);
}

/**
 * Policies and affinity leave out endpoints, so fewer are right; others than the objects name, or none where all could be used, are not.
 * Undefined: nothing to find.
 */
export function rowsAgainstObjects(asked: Asked, node: string, { outcome, endpoints }: Pick<Predicted, 'outcome' | 'endpoints'>): string | undefined {
  const service = new Directory(asked.world).service(asked.host, asked.port, asked.protocol);
  const does = `does the agent of ${node} run? ./podwire proxy show says more`;
  if (service === undefined) return outcome === 'endpoints' ? `the rules of ${node} still serve ${endText(asked.host, asked.port)}, which is no Service's in the API; ${does}` : undefined;
  const name = `${service.metadata?.namespace ?? ''}/${service.metadata?.name ?? ''}`;
  const intended = endpointsOf(asked, service);
  if (outcome === 'direct') return `the rules of ${node} do not know Service ${name} at ${endText(asked.host, asked.port)}; ${does}`;
  const strangers = endpoints.map(({ address }) => address).filter((address) => !intended.includes(address));
  if (strangers.length > 0) return `the rules of ${node} lead to ${strangers.join(', ')}, which Service ${name} does not have as an endpoint; ${does}`;
  return outcome === 'refused' && intended.length > 0 ? `the rules of ${node} refuse Service ${name}, which has ${intended.length} endpoint${intended.length === 1 ? '' : 's'} in the API; ${does}` : undefined;
}
