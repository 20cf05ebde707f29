// Who is behind an address: a directory of the cluster's pods, nodes and Services. Pure.
import type { EndpointSlice, Node, Pod, Service } from '@podwire/kube-client';
import type { Cause } from '../model.ts';

export interface World {
  readonly pods: readonly Pod[];
  readonly nodes: readonly Node[];
  readonly services: readonly Service[];
  readonly slices: readonly EndpointSlice[];
}

const named = (kind: Cause['kind'], { metadata }: { readonly metadata?: { readonly name?: string; readonly namespace?: string } }): Cause => ({ kind, name: metadata?.name ?? '', ...(metadata?.namespace === undefined ? {} : { namespace: metadata.namespace }) });

export class Directory {
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  pod(address: string): Pod | undefined {
    return this.#world.pods.find(({ status, spec }) => spec?.hostNetwork !== true && status?.phase !== 'Succeeded' && status?.phase !== 'Failed' && (status?.podIPs ?? [{ ip: status?.podIP ?? '' }]).some(({ ip }) => ip === address));
  }

  node(address: string): Node | undefined {
    return this.#world.nodes.find(({ status }) => status?.addresses?.some((one) => one.address === address));
  }

  /** The Service that a packet to this address and port is for: by cluster, external or load-balancer address, or by node port. */
  service(address: string, port: number, protocol: string): Service | undefined {
    const speaks = (one: { protocol?: string }): boolean => (one.protocol ?? 'TCP').toLowerCase() === protocol;
    return this.#world.services.find(({ spec, status }) => {
      const own = [...(spec?.clusterIPs ?? [spec?.clusterIP ?? '']), ...(spec?.externalIPs ?? []), ...(status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? '')];
      if (own.includes(address)) return spec?.ports?.some((one) => one.port === port && speaks(one)) === true;
      return this.node(address) !== undefined && spec?.ports?.some((one) => one.nodePort === port && speaks(one)) === true;
    });
  }

  /** The slice that lists this address for a Service. */
  slice(service: Service, address: string): EndpointSlice | undefined {
    return this.#world.slices.find(({ metadata, endpoints }) => metadata?.namespace === service.metadata?.namespace && metadata?.labels?.['kubernetes.io/service-name'] === service.metadata?.name && endpoints.some(({ addresses }) => addresses.includes(address)));
  }

  /** `pod default/web-1 on node2, as EndpointSlice web-x7 lists it`: where a Service's packet goes. */
  endpoint({ destination, destinationPort, protocol }: { readonly destination: string; readonly destinationPort?: number; readonly protocol: string }, address: string): string {
    const service = destinationPort === undefined ? undefined : this.service(destination, destinationPort, protocol);
    const slice = service === undefined ? undefined : this.slice(service, address);
    return `${this.say(address)}${slice === undefined ? '' : `, listed in EndpointSlice ${slice.metadata?.name ?? ''}`}`;
  }

  cause(address: string, port: number | undefined, protocol: string): Cause | undefined {
    const service = port === undefined ? undefined : this.service(address, port, protocol);
    if (service !== undefined) return named('Service', service);
    const pod = this.pod(address);
    if (pod !== undefined) return named('Pod', pod);
    const node = this.node(address);
    return node === undefined ? undefined : named('Node', node);
  }

  /** `default/web-1 on node2`, `svc/default/web:80`, `node2`, or the address itself. */
  say(address: string, port?: number, protocol = 'tcp'): string {
    const service = port === undefined ? undefined : this.service(address, port, protocol);
    if (service !== undefined) return `svc/${service.metadata?.namespace ?? ''}/${service.metadata?.name ?? ''}:${port ?? 0}`;
    const pod = this.pod(address);
    if (pod !== undefined) return `${pod.metadata?.namespace ?? ''}/${pod.metadata?.name ?? ''} on ${pod.spec?.nodeName ?? '?'}`;
    return this.node(address)?.metadata?.name ?? address;
  }
}

export const causeText = ({ kind, namespace, name }: Cause): string => `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`;
