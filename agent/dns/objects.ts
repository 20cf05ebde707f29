// The Services and EndpointSlices that names are made of, followed and indexed; only what an answer needs is kept.
import { Informer, resources } from '@podwire/kube-client';
import type { EndpointSlice, KubeClient, ReadonlyStore, Service } from '@podwire/kube-client';
import type { Objects } from './zone.ts';

const serviceLabel = 'kubernetes.io/service-name';

function clusterIPs(service: Service): readonly string[] {
  const { clusterIP, clusterIPs: all } = service.spec ?? {};
  return (all ?? (clusterIP === undefined ? [] : [clusterIP])).filter((ip) => ip !== '' && ip !== 'None');
}

/** Followed once for environment variables and names: every Service of the cluster, without what neither needs. */
export function serviceInformer(client: KubeClient, onError: (error: Error) => void): Informer<Service> {
  return new Informer<Service>({
    client, resource: resources.services, onError,
    transform: ({ metadata, spec }) => ({
      metadata: { ...(metadata?.name === undefined ? {} : { name: metadata.name }), ...(metadata?.namespace === undefined ? {} : { namespace: metadata.namespace }) },
      spec: {
        ...(spec?.clusterIP === undefined ? {} : { clusterIP: spec.clusterIP }), ...(spec?.clusterIPs === undefined ? {} : { clusterIPs: spec.clusterIPs }),
        ...(spec?.type === 'ExternalName' ? { type: 'ExternalName', externalName: spec.externalName ?? '' } : {}),
        ports: (spec?.ports ?? []).map(({ name, port, protocol }) => ({ port, ...(name === undefined ? {} : { name }), ...(protocol === undefined ? {} : { protocol }) })),
      },
    }),
    indexers: { ip: (service) => clusterIPs(service), namespace: (service) => [service.metadata?.namespace ?? ''] },
  });
}

function sliceInformer(client: KubeClient, onError: (error: Error) => void): Informer<EndpointSlice> {
  return new Informer<EndpointSlice>({
    client, resource: resources.endpointSlices, onError,
    transform: ({ metadata, addressType, endpoints, ports }) => ({
      metadata: { namespace: metadata?.namespace ?? '', labels: { [serviceLabel]: metadata?.labels?.[serviceLabel] ?? '' } },
      addressType,
      ports: (ports ?? []).map(({ name, port, protocol }) => ({ ...(name === undefined ? {} : { name }), ...(port === undefined ? {} : { port }), ...(protocol === undefined ? {} : { protocol }) })),
      // A slice may come without its list.
      endpoints: ((endpoints as typeof endpoints | undefined) ?? []).map(({ addresses, hostname, conditions }) => ({
        addresses, ...(hostname === undefined ? {} : { hostname }), ...(conditions?.ready === undefined ? {} : { conditions: { ready: conditions.ready } }),
      })),
    }),
    indexers: {
      service: (slice) => [`${slice.metadata?.namespace ?? ''}/${slice.metadata?.labels?.[serviceLabel] ?? ''}`],
      // Only named endpoints have a reverse name.
      ip: (slice) => slice.endpoints.flatMap((endpoint) => (endpoint.hostname === undefined ? [] : endpoint.addresses)),
    },
  });
}

export class ClusterObjects implements Objects {
  readonly #services: ReadonlyStore<Service>;
  readonly #slices: Informer<EndpointSlice>;

  constructor(client: KubeClient, services: ReadonlyStore<Service>, signal: AbortSignal, onError: (error: Error) => void) {
    this.#services = services;
    this.#slices = sliceInformer(client, onError).start(signal);
  }

  async synced(signal: AbortSignal): Promise<void> {
    await this.#slices.waitForSync(signal);
  }

  service(namespace: string, name: string): Service | undefined {
    return this.#services.byKey(`${namespace}/${name}`);
  }

  slices(namespace: string, service: string): readonly EndpointSlice[] {
    return this.#slices.store.byIndex('service', `${namespace}/${service}`);
  }

  servicesByIP(ip: string): readonly Service[] {
    return this.#services.byIndex('ip', ip);
  }

  slicesByIP(ip: string): readonly EndpointSlice[] {
    return this.#slices.store.byIndex('ip', ip);
  }

  hasNamespace(namespace: string): boolean {
    return this.#services.keysByIndex('namespace', namespace).length > 0;
  }
}
