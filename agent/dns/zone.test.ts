import test from 'ava';
import dns from 'dns-packet';
import fc from 'fast-check';
import type { EndpointSlice, Service } from '@podwire/kube-client';
import { dnsAddress } from './registration.ts';
import { encodeAnswer, fitUdp, replyTo } from './reply.ts';
import { resolveQuery } from './server.ts';
import { addressOfReverse, answerQuestion } from './zone.ts';
import type { Objects } from './zone.ts';

const services: readonly Service[] = [
  { metadata: { name: 'web', namespace: 'default' }, spec: { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20', 'fd00:96::20'], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] } },
  { metadata: { name: 'db', namespace: 'default' }, spec: { clusterIP: 'None', ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }] } },
  { metadata: { name: 'empty', namespace: 'default' }, spec: { clusterIP: 'None' } },
  { metadata: { name: 'out', namespace: 'default' }, spec: { type: 'ExternalName', externalName: 'example.com' } },
  { metadata: { name: 'alias', namespace: 'default' }, spec: { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' } },
];
const slices: readonly EndpointSlice[] = [{
  metadata: { namespace: 'default', labels: { 'kubernetes.io/service-name': 'db' } }, addressType: 'IPv4', ports: [{ name: 'pg', port: 5432, protocol: 'TCP' }],
  endpoints: [{ addresses: ['10.244.1.5'], hostname: 'db-0' }, { addresses: ['10.244.2.6'], conditions: { ready: true } }, { addresses: ['10.244.2.7'], conditions: { ready: false } }],
}];
const objects: Objects = {
  service: (namespace, name) => services.find((one) => one.metadata?.namespace === namespace && one.metadata.name === name),
  slices: (namespace, name) => slices.filter((one) => one.metadata?.namespace === namespace && one.metadata.labels?.['kubernetes.io/service-name'] === name),
  servicesByIP: (ip) => services.filter((one) => one.spec?.clusterIPs?.includes(ip)),
  slicesByIP: (ip) => slices.filter((slice) => slice.endpoints.some((endpoint) => endpoint.hostname !== undefined && endpoint.addresses.includes(ip))),
  hasNamespace: (namespace) => namespace === 'default',
};

function ask(name: string, type: string): string {
  const answer = answerQuestion({ name, type }, 'cluster.local', objects);
  return answer.kind === 'found' ? answer.answers.map((record) => record.type === 'SRV' ? `SRV ${record.data.port} ${record.data.target}` : `${record.type} ${record.type === 'SOA' ? '' : record.data}`).join(', ') : answer.kind;
}

const cases: readonly [string, string, string, string][] = [
  ['a Service has its cluster IP', 'web.default.svc.cluster.local', 'A', 'A 10.96.0.20'],
  ['of either family', 'web.default.svc.cluster.local', 'AAAA', 'AAAA fd00:96::20'],
  ['in whatever case it is asked for', 'WEB.Default.svc.Cluster.Local', 'A', 'A 10.96.0.20'],
  ['a type that it has not is no data, not no name', 'web.default.svc.cluster.local', 'MX', 'nodata'],
  ['a named port has a SRV record', '_http._tcp.web.default.svc.cluster.local', 'SRV', 'SRV 80 web.default.svc.cluster.local'],
  ['a port that is none has no name', '_ftp._tcp.web.default.svc.cluster.local', 'SRV', 'nxdomain'],
  ['a headless Service is its ready endpoints', 'db.default.svc.cluster.local', 'A', 'A 10.244.1.5, A 10.244.2.6'],
  ['an endpoint with a hostname has a name of its own', 'db-0.db.default.svc.cluster.local', 'A', 'A 10.244.1.5'],
  ['one without is named by its address', '10-244-2-6.db.default.svc.cluster.local', 'A', 'A 10.244.2.6'],
  ['an unready one is not named', '10-244-2-7.db.default.svc.cluster.local', 'A', 'nxdomain'],
  ['a headless port has one SRV record per endpoint', '_pg._tcp.db.default.svc.cluster.local', 'SRV', 'SRV 5432 db-0.db.default.svc.cluster.local, SRV 5432 10-244-2-6.db.default.svc.cluster.local'],
  ['a headless Service without endpoints exists all the same', 'empty.default.svc.cluster.local', 'A', 'nodata'],
  ['ExternalName is an alias', 'out.default.svc.cluster.local', 'A', 'CNAME example.com'],
  ['a Service that is not there has no name', 'none.default.svc.cluster.local', 'A', 'nxdomain'],
  ['nor has a namespace', 'none.svc.cluster.local', 'A', 'nxdomain'],
  ['a namespace with Services has no data of its own', 'default.svc.cluster.local', 'A', 'nodata'],
  ['a pod is named by its address', '10-244-1-5.default.pod.cluster.local', 'A', 'A 10.244.1.5'],
  ['a cluster IP has a reverse name', '20.0.96.10.in-addr.arpa', 'PTR', 'PTR web.default.svc.cluster.local'],
  ['so has a named endpoint', '5.1.244.10.in-addr.arpa', 'PTR', 'PTR db-0.db.default.svc.cluster.local'],
  ['an unknown address is somebody else\'s', '1.1.168.192.in-addr.arpa', 'PTR', 'forward'],
  ['so is every other name', 'example.com', 'A', 'forward'],
  ['the version of the specification is told', 'dns-version.cluster.local', 'TXT', 'TXT 1.1.0'],
];
for (const [title, name, type, expected] of cases) test(`${title} (${name} ${type})`, (t) => t.is(ask(name, type), expected));

test('IPv6 reverse names are read', (t) => {
  t.is(addressOfReverse('0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.0.d.f.ip6.arpa'), 'fd00:96::20');
});

const query = (name: string, type: string, more: Partial<dns.Packet> = {}): Buffer => dns.encode({ type: 'query', id: 7, flags: dns.RECURSION_DESIRED, questions: [{ name, type: type as 'A' }], ...more });

test('a reply carries id and question, is authoritative, and names the zone when there is nothing', (t) => {
  const reply = replyTo(query('none.default.svc.cluster.local', 'A'), 'cluster.local', objects);
  const packet = dns.decode((reply as { bytes: Buffer }).bytes);
  t.is(packet.id, 7);
  t.is((packet as { rcode?: string }).rcode, 'NXDOMAIN');
  t.true(packet.flag_aa);
  t.is(packet.authorities?.[0]?.type, 'SOA');
});

test('an alias within the cluster is followed to its address', async (t) => {
  const bytes = await resolveQuery({ zone: 'cluster.local', objects, resolvers: [], signal: new AbortController().signal }, query('alias.default.svc.cluster.local', 'A'), 'udp');
  t.deepEqual(dns.decode(bytes!).answers?.map((record) => record.type), ['CNAME', 'A']);
});

test('what no resolver answers is a failure, not silence', async (t) => {
  const bytes = await resolveQuery({ zone: 'cluster.local', objects, resolvers: [], signal: new AbortController().signal }, query('example.com', 'A'), 'udp');
  t.is((dns.decode(bytes!) as { rcode?: string }).rcode, 'SERVFAIL');
});

test('a reply too long for UDP says to ask again over TCP; with EDNS it may be longer', (t) => {
  const answers = Array.from({ length: 40 }, (_, index) => ({ type: 'A' as const, name: 'db.default.svc.cluster.local', ttl: 5, data: `10.0.0.${index}` }));
  const plain = query('db.default.svc.cluster.local', 'A');
  const long = encodeAnswer(dns.decode(plain), { kind: 'found', answers, additionals: [] }, 'cluster.local');
  t.true(long.length > 512);
  const cut = dns.decode(fitUdp(plain, long));
  t.true(cut.flag_tc);
  t.deepEqual(cut.answers, []);
  const edns = query('db.default.svc.cluster.local', 'A', { additionals: [{ type: 'OPT', name: '.', udpPayloadSize: 4096, flags: 0, extendedRcode: 0, ednsVersion: 0, flag_do: false, options: [] }] });
  t.true(fitUdp(edns, long.subarray(0, 1200)).length === Math.min(long.length, 1200));
});

test('whatever bytes come, they are answered or passed over, never thrown at us', (t) => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    t.notThrows(() => replyTo(Buffer.from(bytes), 'cluster.local', objects));
  }), { numRuns: 500 });
  fc.assert(fc.property(fc.nat({ max: 60 }), fc.nat({ max: 255 }), (at, value) => {
    const bytes = query('_http._tcp.web.default.svc.cluster.local', 'SRV');
    bytes[at % bytes.length] = value;
    t.notThrows(() => replyTo(bytes, 'cluster.local', objects));
  }), { numRuns: 500 });
});

test('the DNS has the tenth address of the Service network', (t) => {
  t.is(dnsAddress('10.96.0.0/16'), '10.96.0.10');
  t.is(dnsAddress('fd00:96::/112'), 'fd00:96::a');
});
