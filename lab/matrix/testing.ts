// For the tests of the matrix: a cluster as the API would show it, and what attempts may come to.
import type { EndpointSlice, Node, Pod, Service } from '@podwire/kube-client';
import type { ProbeResult } from '../probe/protocol.ts';
import { desiredCells } from './cells.ts';
import { parseFilter } from './filter.ts';
import type { Cell } from './model.ts';
import { topologyOf } from './topology.ts';
import type { Topology } from './topology.ts';
import { NAMESPACE, podObjects, serviceObjects } from './workload-objects.ts';

const node = (number: number, v6: boolean): Node => ({
  metadata: { name: `node${number}` },
  spec: { podCIDRs: [`10.244.${number}.0/24`, ...(v6 ? [`fd00:244:${number}::/64`] : [])] },
  status: { addresses: [{ type: 'InternalIP', address: `192.168.0.1${number}` }, { type: 'Hostname', address: `node${number}` }, ...(v6 ? [{ type: 'InternalIP', address: `fd00:168::1${number}` }] : [])] },
});

export function cluster(count: number, options: { readonly v6?: boolean; readonly others?: readonly Service[]; readonly outside?: boolean; readonly dns?: boolean; readonly balancer?: string } = {}): Topology {
  const v6 = options.v6 ?? false;
  const nodes = Array.from({ length: count }, (_, i) => node(i + 1, v6));
  const names = nodes.map(({ metadata }) => metadata?.name ?? '');
  const pods = podObjects(names).map((pod, i): Pod => {
    const number = names.indexOf(pod.spec?.nodeName ?? '') + 1;
    return { ...pod, status: { phase: 'Running', podIPs: [{ ip: `10.244.${number}.${10 + (i % 2)}` }, ...(v6 ? [{ ip: `fd00:244:${number}::${10 + (i % 2)}` }] : [])] } };
  });
  const services = serviceObjects(names).map((service, i): Service => ({
    ...service, spec: { ...service.spec, clusterIP: `10.96.1.${i}`, clusterIPs: [`10.96.1.${i}`, ...(v6 ? [`fd00:96::${i}`] : [])], ports: (service.spec?.ports ?? []).map((port) => ({ ...port, ...(service.spec?.type === undefined ? {} : { nodePort: 30_000 + i })})) },
    ...(service.spec?.type === 'LoadBalancer' && options.balancer !== undefined ? { status: { loadBalancer: { ingress: [{ ip: options.balancer }] } } } : {}),
  }));
  const slices = services.map(({ metadata }): EndpointSlice => ({ addressType: 'IPv4', metadata: { namespace: NAMESPACE, labels: { 'kubernetes.io/service-name': metadata?.name ?? '' } }, endpoints: metadata?.name === 'none' ? [] : [{ addresses: ['10.244.1.10'] }] }));
  const dns: Service = { metadata: { namespace: 'kube-system', name: 'kube-dns' }, spec: { clusterIP: '10.96.0.10', clusterIPs: ['10.96.0.10', ...(v6 ? ['fd00:96::a'] : [])], ports: [{ port: 53, protocol: 'UDP' }, { port: 53, protocol: 'TCP' }] } };
  const kubernetes: Service = { metadata: { namespace: 'default', name: 'kubernetes' }, spec: { clusterIP: '10.96.0.1', clusterIPs: ['10.96.0.1'], ports: [{ port: 443 }] } };
  return topologyOf(
    { nodes, pods, services: [kubernetes, ...(options.dns === false ? [] : [dns]), ...services, ...(options.others ?? [])], slices, cidrs: [{ spec: { cidrs: ['10.96.0.0/16', ...(v6 ? ['fd00:96::/112'] : [])] } }] },
    options.outside === false ? { outsideAddresses: [], outsidePort: undefined } : { outsideAddresses: ['192.168.0.1'], outsidePort: 40_000 },
  );
}

export const found = (topology: Topology, filter: string): readonly Cell[] => desiredCells(topology).filter(parseFilter(filter));
/** The first of them. */
export function only(topology: Topology, filter: string): Cell {
  const [first] = found(topology, filter);
  if (first === undefined) throw new Error(`no cell matches ${filter}`);
  return first;
}

export const answer = (pod: string, source: string): ProbeResult => ({ id: '1', ok: true, refused: false, timeout: false, ms: 1, answer: { pod, node: 'n', source, sourcePort: 1, nonce: 'x' } });
export const refused: ProbeResult = { id: '1', ok: false, refused: true, timeout: false, ms: 1 };
export const timeout: ProbeResult = { id: '1', ok: false, refused: false, timeout: true, ms: 1000 };
export const broken: ProbeResult = { id: '1', ok: false, refused: false, timeout: false, ms: 1, error: 'ENETUNREACH' };

export const base: Cell = {
  id: 'c', place: { kind: 'pod', namespace: NAMESPACE, name: 'me', node: 'node1' }, path: 'pod to cluster IP', locality: 'same node', protocol: 'TCP', family: 'IPv4',
  to: 'svc x', host: '10.96.0.1', port: 80, expected: 'ok', attempts: 3, sources: ['10.0.0.1'], ownSources: ['10.0.0.254'], answeredBy: ['me', 'other'],
};
