import test from 'ava';
import type { ConntrackEntry } from 'nftables-js';
import { addressesOf, namedConnections } from './live-connections.ts';

const entry = (extra: Partial<ConntrackEntry>): ConntrackEntry => ({
  family: 'ip', protocol: 6, original: { src: '10.244.1.2', dst: '10.96.0.10', srcPort: 40_000, dstPort: 80 }, reply: { src: '10.244.2.3', dst: '10.244.1.2', srcPort: 8080, dstPort: 40_000 },
  id: 1, mark: 5, status: 0, zone: 0, flags: ['SEEN_REPLY', 'ASSURED', 'DST_NAT'], tcpState: 'ESTABLISHED', ...extra,
});

const pods = [
  { metadata: { namespace: 'default', name: 'client' }, status: { phase: 'Running', podIPs: [{ ip: '10.244.1.2' }] } },
  { metadata: { namespace: 'default', name: 'web-1' }, status: { phase: 'Running', podIPs: [{ ip: '10.244.2.3' }, { ip: 'fd44:2::3' }] } },
  { metadata: { namespace: 'default', name: 'over' }, status: { phase: 'Succeeded', podIPs: [{ ip: '10.244.2.3' }] } },
  { metadata: { namespace: 'kube-system', name: 'on-the-node' }, spec: { hostNetwork: true, containers: [] }, status: { phase: 'Running', podIPs: [{ ip: '10.200.0.11' }] } },
];
const services = [{
  metadata: { namespace: 'default', name: 'web' },
  spec: { clusterIPs: ['10.96.0.10', 'fd96::10'], externalIPs: ['203.0.113.1'], ports: [{ port: 80, nodePort: 30_080 }, { port: 53, protocol: 'UDP' }] },
  status: { loadBalancer: { ingress: [{ ip: '203.0.113.2' }] } },
}];
const addresses = addressesOf(pods, services, new Map([['10.200.0.11', 'node1']]));

test('a connection through a Service is named: its client, its Service, its backend', (t) => {
  t.deepEqual(namedConnections('node1', [entry({})], addresses), [{ node: 'node1', protocol: 'TCP', client: 'default/client:40000', service: 'default/web:80', backend: 'default/web-1:8080', state: 'ESTABLISHED' }]);
});

test('external addresses, load balancers and node ports lead to the Service, too; a node is called by its name', (t) => {
  for (const [dst, dstPort] of [['203.0.113.1', 80], ['203.0.113.2', 80], ['10.200.0.11', 30_080]] as const) {
    const [found] = namedConnections('node1', [entry({ original: { src: '10.200.0.11', dst, srcPort: 1, dstPort } })], addresses);
    t.like(found, { client: 'node1:1', service: 'default/web:80', backend: 'default/web-1:8080' }, dst);
  }
});

test('IPv6 and UDP, and addresses that nobody has', (t) => {
  const flow = entry({ family: 'ip6', protocol: 17, original: { src: '2001:db8::1', dst: 'fd96::10', srcPort: 9, dstPort: 53 }, reply: { src: 'fd44:2::9', dst: '2001:db8::1', srcPort: 5353, dstPort: 9 }, flags: ['SEEN_REPLY', 'DST_NAT'] });
  const { tcpState: _, ...udp } = flow;
  t.deepEqual(namedConnections('node1', [udp], addresses), [{ node: 'node1', protocol: 'UDP', client: '[2001:db8::1]:9', service: 'default/web:53', backend: '[fd44:2::9]:5353', state: '' }]);
});

test('what no Service rewrote, what nobody answered, and what is over is left out', (t) => {
  t.deepEqual(namedConnections('node1', [entry({ flags: ['SEEN_REPLY'] }), entry({ flags: ['DST_NAT'] }), entry({ tcpState: 'TIME_WAIT' })], addresses), []);
});
