// Makes the DNS known: the Service kube-system/kube-dns with its well-known address, and this node's endpoint of it. With the
// traffic policy Local, each node's proxy sends the queries of its pods to its own agent.
import { isAlreadyExists, isNotFound, resources } from '@podwire/kube-client';
import type { EndpointSlice, KubeClient, Service } from '@podwire/kube-client';
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** The address of the cluster's DNS: the tenth of the Service network, as everywhere. */
export function dnsAddress(serviceCIDR: string): string {
  const [network, bits] = ipaddr.parseCIDR(serviceCIDR);
  const bytes = network.kind() === 'ipv4' ? ipaddr.IPv4.networkAddressFromCIDR(`${network.toString()}/${bits}`).toByteArray() : ipaddr.IPv6.networkAddressFromCIDR(`${network.toString()}/${bits}`).toByteArray();
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) + 10;
  return ipaddr.fromByteArray(bytes).toString();
}

export interface Registration {
  readonly client: KubeClient;
  readonly nodeName: string;
  readonly nodeUid: string;
  readonly nodeIPs: readonly string[];
  readonly port: number;
  readonly serviceCIDRs: readonly string[];
}

const service = 'kube-dns';
const namespace = 'kube-system';

export function desiredService(serviceCIDRs: readonly string[]): Service {
  const clusterIPs = serviceCIDRs.map(dnsAddress);
  return {
    metadata: { name: service, namespace, labels: { 'k8s-app': 'kube-dns', 'kubernetes.io/cluster-service': 'true', 'kubernetes.io/name': 'Podwire-DNS' } },
    spec: {
      type: 'ClusterIP', ...(clusterIPs[0] === undefined ? {} : { clusterIP: clusterIPs[0] }), clusterIPs, internalTrafficPolicy: 'Local',
      ...(clusterIPs.length > 1 ? { ipFamilyPolicy: 'RequireDualStack' } : {}),
      ports: [{ name: 'dns', port: 53, protocol: 'UDP' }, { name: 'dns-tcp', port: 53, protocol: 'TCP' }],
    },
  };
}

export function desiredSlices(registration: Registration): EndpointSlice[] {
  return registration.nodeIPs.map((address) => {
    const family = isIP(address) === 6 ? 'IPv6' : 'IPv4';
    return {
      metadata: {
        name: `${service}-${registration.nodeName}${family === 'IPv6' ? '-v6' : ''}`, namespace,
        labels: { 'kubernetes.io/service-name': service, 'endpointslice.kubernetes.io/managed-by': 'podwire-agent' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: registration.nodeName, uid: registration.nodeUid }],
      },
      addressType: family,
      ports: [{ name: 'dns', port: registration.port, protocol: 'UDP' }, { name: 'dns-tcp', port: registration.port, protocol: 'TCP' }],
      endpoints: [{ addresses: [address], nodeName: registration.nodeName, conditions: { ready: true, serving: true, terminating: false } }],
    };
  });
}

/** Creates or corrects both. Safe to repeat; another agent may do the same at the same time. */
export async function registerDns(registration: Registration): Promise<void> {
  const { client, serviceCIDRs } = registration;
  await client.get(resources.services, { namespace, name: service }).catch(async (error: unknown) => {
    if (!isNotFound(error)) throw error;
    return client.create(resources.services, desiredService(serviceCIDRs)).catch(unlessExists);
  });
  for (const slice of desiredSlices(registration)) {
    const name = { namespace, name: slice.metadata?.name ?? '' };
    const current = await client.get(resources.endpointSlices, name).catch((error: unknown) => {
      if (!isNotFound(error)) throw error;
      return undefined;
    });
    if (current === undefined) await client.create(resources.endpointSlices, slice).catch(unlessExists);
    else if (identity(current) !== identity(slice)) {
      await client.patch(resources.endpointSlices, name, 'merge', { metadata: { ownerReferences: slice.metadata?.ownerReferences }, endpoints: slice.endpoints, ports: slice.ports });
    }
  }
}

/** What of a slice must be right. */
function identity(slice: EndpointSlice): string {
  return JSON.stringify([slice.endpoints[0]?.addresses, slice.ports?.map((port) => port.port), slice.metadata?.ownerReferences?.map((owner) => owner.uid)]);
}

function unlessExists(error: unknown): undefined {
  if (!isAlreadyExists(error)) throw error;
  return undefined;
}
