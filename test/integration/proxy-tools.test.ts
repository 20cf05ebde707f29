// What people look with: `show` (intent, rows in the kernel, their difference), `explain`, connections per endpoint, the mark that names
// a connection's endpoint, and SCTP, of which this kernel can hold the rows but not carry the packets.
import test from 'ava';
import koffi from 'koffi';
import { Conntrack, KernelNft, runNft } from 'nftables-js';
import { resources } from '@podwire/kube-client';
import { DEFAULT_CONFIG, QuestionError, explainPacket, explanationText, parseQuestion, readKernel, showService, shownText } from '@podwire/proxy';
import type { Packet, ShownService } from '@podwire/proxy';
import { rulesetOptions } from '../../proxy/driver/proxy.ts';
import { ADDRESSES } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';

let harness: Harness;
let nft: KernelNft;
test.before(async () => {
  harness = await createHarness();
  nft = KernelNft.open();
  const { api } = harness;
  const ports = [{ name: 't', protocol: 'TCP', port: 80, nodePort: 30_400 }, { name: 'u', protocol: 'UDP', port: 80, nodePort: 30_400 }];
  api.put(resources.services, service('web', ['10.96.0.10', 'fd96::10'], { type: 'NodePort', externalTrafficPolicy: 'Local', ports }));
  for (const family of [0, 1] as const) {
    api.put(resources.endpointSlices, slice(`web-${family === 0 ? 4 : 6}`, 'web', [{ address: ADDRESSES.b[family], node: 'node1' }, { address: ADDRESSES.c[family], node: 'node2' }]));
  }
  api.put(resources.services, service('empty', ['10.96.0.11']));
  api.put(resources.services, service('odd', ['10.96.0.12'], { externalIPs: ['127.0.0.1'] }));
  api.put(resources.services, service('headless', ['None']));
  await harness.synced();
});
test.after.always(async () => {
  nft.close();
  await harness[Symbol.asyncDispose]();
});

const show = (name: string): Promise<ShownService> => showService({ client: harness.client, nft, nodeName: 'node1', service: { namespace: 'default', name } });

test.serial('show: what is intended is in the kernel, each frontend with its rows', async (t) => {
  const shown = await show('web');
  t.true(shown.isEqual);
  t.deepEqual(shown.fronts.map(({ front }) => front), [
    '10.96.0.10:80/TCP', 'node port 30400/TCP', '10.96.0.10:80/UDP', 'node port 30400/UDP', '[fd96::10]:80/TCP', 'node port 30400/TCP', '[fd96::10]:80/UDP', 'node port 30400/UDP',
  ]);
  t.is(shown.fronts[0]?.intended, 'cluster-ip: 10.244.1.3 8080, 10.244.2.2 8080; local: 10.244.1.3 8080');
  t.is(shown.fronts[1]?.programmed, 'external-local: 10.244.1.3 8080, 10.244.2.2 8080; local: 10.244.1.3 8080');
  const text = shownText(shown);
  t.regex(text, /^default\/web: the kernel holds what is intended/);
  t.regex(text, /service: 0x81[0-9a-f]{6}\n +count 0x8[0-9a-f]{7} : 2\n +endpoint 0x[0-9a-f]{8} : 10\.244\.1\.3 8080/);
});

test.serial('show: no endpoints, an odd field, and what is not for the proxy are said', async (t) => {
  t.is((await show('empty')).fronts[0]?.programmed, 'no-endpoints: none');
  t.regex(shownText(await show('odd')), /problem: spec\.externalIPs: 127\.0\.0\.1 is an address that nothing can be sent to/);
  t.regex(shownText(await show('headless')), /not for the proxy/);
  await t.throwsAsync(show('nobody'), { message: /nobody/ });
});

const removals: readonly (readonly [what: string, command: (shown: ShownService) => string, difference: RegExp])[] = [
  ['a frontend', () => 'delete element ip podwire service { 10.96.0.10 . tcp . 80 }', /! 10\.96\.0\.10:80\/TCP \(ip\)\n +intended +cluster-ip: .*\n +in kernel +nothing/],
  ['a node port', () => 'delete element ip podwire node-port { tcp . 30400 }', /! node port 30400\/TCP \(ip\)\n.*\n +in kernel +nothing/],
  ['an endpoint', (shown) => `delete element ip podwire endpoint { ${/endpoint (0x\w+) : 10\.244\.1\.3/.exec(shown.fronts[0]?.rows.join('\n') ?? '')?.[1] ?? ''} }`, /in kernel +cluster-ip: \(missing\), 10\.244\.2\.2 8080/],
  ['a count', (shown) => `delete element ip podwire count { ${/count (0x8\w+) : 2/.exec(shown.fronts[0]?.rows.join('\n') ?? '')?.[1] ?? ''} }`, /in kernel +cluster-ip: none; local: 10\.244\.1\.3 8080/],
];
for (const [what, command, difference] of removals) {
  test.serial(`show: ${what} that was taken away by hand is the difference`, async (t) => {
    await harness.proxy.stop(); // it would put it right
    try {
      await runNft(['-f', '-'], `${command(await show('web'))}\n`);
      const shown = await show('web');
      t.false(shown.isEqual);
      t.regex(shownText(shown), /THE KERNEL DIFFERS/);
      t.regex(shownText(shown), difference);
      t.true(shown.fronts.some((front) => front.family === 'ip6' && front.isEqual), 'the other family is as it should be');
    } finally {
      await harness.restart();
    }
    t.true((await show('web')).isEqual, 'and the proxy puts it right');
  });
}

const explainText = async (question: string, iif = 'br0'): Promise<string> => {
  const packet: Packet = { ...parseQuestion(question), iif };
  const explanation = await explainPacket({ nft, packet, node: { isLocal: (address) => address === ADDRESSES.node1[0], ruleset: rulesetOptions({ ...DEFAULT_CONFIG, ...harness.config }) } });
  return explanationText(packet, explanation);
};

test.serial('explain: the outcome, and each rule and row that decides it', async (t) => {
  const text = await explainText('10.244.1.2 -> 10.96.0.10:80/tcp');
  t.regex(text, /^10\.244\.1\.2 -> 10\.96\.0\.10:80\/TCP goes to 10\.244\.1\.3:8080 \(50 %\), 10\.244\.2\.2:8080 \(50 %\)/);
  t.regex(text, /because service row 10\.96\.0\.10 \. 6 \. 80 is 0x81/);
  t.regex(text, /because 10\.244\.1\.2 is in the pod network: it keeps its address/);
  t.regex(await explainText(`192.168.77.100 -> ${ADDRESSES.node1[0]}:30400/udp`, 'eth0'), /goes to 10\.244\.1\.3:8080 \(100 %\)\n[^]*from outside with policy Local/);
  t.regex(await explainText('10.244.1.2 -> 10.96.0.11:80/tcp'), /is refused \(tcp reset\)[^]*no endpoint at all/);
  t.regex(await explainText('10.244.1.2 -> 10.96.0.10:81/udp'), /is refused \(icmp port unreachable\)[^]*no Service has port 81 on it/);
  t.regex(await explainText('10.244.1.2 -> 10.96.77.77:80/tcp'), /is dropped without a word[^]*lies in the Service CIDR and no Service has it/);
  t.regex(await explainText('10.244.1.2 -> 203.0.113.99:80/tcp'), /is not a Service's: the routes decide/);
  t.regex(await explainText('fd44:1::2 -> [fd96::10]:80'), /goes to \[fd44:1::3\]:8080 \(50 %\)/);
});

test.serial('explain: what is no question is said with how to ask; a namespace without a table, too', async (t) => {
  for (const wrong of ['', '10.0.0.1', '10.0.0.1 -> 10.0.0.2', '10.0.0.1 -> 10.0.0.2:99999/tcp', '10.0.0.1 -> 10.0.0.2:80/icmp', '10.0.0.1 -> [fd96::1]:80/tcp', 'pod -> svc:80']) {
    t.throws(() => parseQuestion(wrong), { instanceOf: QuestionError, message: /is not a question: write SOURCE -> ADDRESS:PORT\/tcp/ }, wrong);
  }
  await harness.proxy.stop();
  try {
    await runNft(['-f', '-'], 'delete table ip podwire\n');
    await t.throwsAsync(explainText('10.244.1.2 -> 10.96.0.10:80/tcp'), { instanceOf: QuestionError, message: /no table "ip podwire" here/ });
    t.is((await show('web')).fronts[0]?.programmed, undefined);
  } finally {
    await harness.restart();
  }
});

test.serial('each connection is counted at the endpoint that answered it', async (t) => {
  for (const [family, host] of [[0, '10.96.0.10'], [1, 'fd96::10']] as const) {
    for (const protocol of ['tcp', 'udp'] as const) {
      const label = family === 0 ? 'IPv4' : 'IPv6';
      const port = protocol === 'tcp' ? 'port="t",protocol="TCP"' : 'port="u",protocol="UDP"';
      const counted = async (): Promise<Record<string, number>> => {
        const lines = (await harness.proxy.metricsText()).split('\n').filter((line) => line.startsWith('podwire_proxy_endpoint_connections_total{') && line.includes(`service="web",${port},`) && line.includes(`ip_family="${label}"`));
        return Object.fromEntries(lines.map((line) => [/endpoint="([^"]+)"/.exec(line)?.[1] ?? '', Number(line.split(' ').at(-1))]));
      };
      const before = await counted();
      // A port that UDP takes twice is one connection: thirty different ones, then.
      const replies: string[] = [];
      for (let n = 0; n < 30; n++) replies.push(...await harness.lab.a.ask({ protocol, host, port: 80, ...(protocol === 'udp' ? { fromPort: 20_000 + n } : {}) }));
      const after = await counted();
      for (const pod of ['b', 'c'] as const) {
        const address = ADDRESSES[pod][family];
        const endpoint = family === 0 ? `${address}:8080` : `[${address}]:8080`;
        t.is((after[endpoint] ?? 0) - (before[endpoint] ?? 0), replies.filter((reply) => reply.startsWith(`${pod}|`)).length, `${protocol} ${endpoint}`);
      }
    }
  }
});

test.serial('the mark of a live connection is the id of its endpoint: conntrack -L and the table name its backend', async (t) => {
  await harness.lab.a.hold({ protocol: 'tcp', host: '10.96.0.10', port: 80, count: 6 });
  const held = await harness.lab.a.exchange();
  using conntrack = Conntrack.open();
  const flows = conntrack.list({ family: 'ip', protocol: 6, originalDst: '10.96.0.10' }).filter(({ tcpState }) => tcpState === 'ESTABLISHED');
  t.is(flows.length, held.length);
  const view = await readKernel(nft, 'ip');
  for (const { mark, reply } of flows) t.deepEqual(view?.rows.endpoint(mark), { address: reply.src, port: reply.srcPort ?? 0 });
});

test.serial('SCTP is rows in the kernel, all of them, and the model follows them; packets only where the kernel has SCTP', async (t) => {
  harness.api.put(resources.services, service('sctp', ['10.96.0.20', 'fd96::20'], { type: 'NodePort', ports: [{ name: 's', protocol: 'SCTP', port: 80, nodePort: 30_420 }] }));
  for (const family of [0, 1] as const) harness.api.put(resources.endpointSlices, slice(`sctp-${family === 0 ? 4 : 6}`, 'sctp', [{ address: ADDRESSES.b[family], node: 'node1' }], [{ name: 's', protocol: 'SCTP', port: 8080 }]));
  await harness.synced();
  const shown = await show('sctp');
  t.true(shown.isEqual);
  t.deepEqual(shown.fronts.map(({ front, programmed }) => `${front} ${programmed ?? ''}`), [
    '10.96.0.20:80/SCTP cluster-ip: 10.244.1.3 8080', 'node port 30420/SCTP external-cluster: 10.244.1.3 8080', '[fd96::20]:80/SCTP cluster-ip: fd44:1::3 8080', 'node port 30420/SCTP external-cluster: fd44:1::3 8080',
  ]);
  t.regex(await runNft(['list', 'map', 'ip', 'podwire', 'service'], ''), /10\.96\.0\.20 \. sctp \. 80 : 0x81/);
  t.regex(await runNft(['list', 'chain', 'ip', 'podwire', 'to-endpoint'], ''), /\{ tcp, udp, sctp \} dnat/);
  t.regex(await explainText('10.244.1.2 -> 10.96.0.20:80/sctp'), /goes to 10\.244\.1\.3:8080 \(100 %\)/);
  const libc = koffi.load(null);
  const socket = libc.func('int socket(int domain, int type, int protocol)') as (domain: number, type: number, protocol: number) => number;
  const descriptor = socket(2, 1, 132);
  const reason = descriptor < 0 ? `socket(AF_INET, SOCK_STREAM, IPPROTO_SCTP): errno ${koffi.errno()}${koffi.errno() === 93 ? ' (EPROTONOSUPPORT)' : ''}` : '';
  t.log(descriptor < 0 ? `no SCTP packets: ${reason}` : 'this kernel has SCTP sockets; no probe of ours speaks it');
  if (descriptor >= 0) (libc.func('int close(int)') as (fd: number) => number)(descriptor);
});

const KUBE_PROXY_METRICS: readonly (readonly [name: string, labels: string])[] = [
  ['kubeproxy_sync_proxy_rules_duration_seconds_count', 'ip_family="IPv4"'], ['kubeproxy_sync_full_proxy_rules_duration_seconds_count', 'ip_family="IPv6"'], ['kubeproxy_sync_partial_proxy_rules_duration_seconds_count', 'ip_family="IPv4"'],
  ['kubeproxy_network_programming_duration_seconds_count', 'ip_family="IPv4"'], ['kubeproxy_sync_proxy_rules_last_timestamp_seconds', 'ip_family="IPv4"'], ['kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds', 'ip_family="IPv4"'],
  ['kubeproxy_sync_proxy_rules_endpoint_changes_total', 'ip_family="IPv4"'], ['kubeproxy_sync_proxy_rules_service_changes_total', 'ip_family="IPv6"'],
  ['kubeproxy_sync_proxy_rules_endpoint_changes_pending', 'ip_family="IPv4"'], ['kubeproxy_sync_proxy_rules_service_changes_pending', 'ip_family="IPv4"'],
  ['kubeproxy_sync_proxy_rules_no_local_endpoints_total', 'ip_family="IPv4",traffic_policy="internal"'], ['kubeproxy_conntrack_reconciler_sync_duration_seconds_count', 'ip_family="IPv4"'],
];

test.serial('metrics have kube-proxy\'s names and labels, and say what happened', async (t) => {
  const value = async (name: string, labels: string): Promise<number> => {
    const line = (await harness.proxy.metricsText()).split('\n').find((one) => one.startsWith(`${name}{${labels}}`));
    return line === undefined ? Number.NaN : Number(line.split(' ').at(-1));
  };
  const changed = { ...slice('web-4', 'web', [{ address: ADDRESSES.c[0], node: 'node2' }]) };
  harness.api.put(resources.endpointSlices, { ...changed, metadata: { ...changed.metadata, annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': new Date().toISOString() } } });
  harness.api.put(resources.services, service('inside', ['10.96.0.30'], { internalTrafficPolicy: 'Local' }));
  harness.api.put(resources.endpointSlices, slice('inside-4', 'inside', [{ address: ADDRESSES.c[0], node: 'node2' }]));
  await harness.synced();
  for (const [name, labels] of KUBE_PROXY_METRICS) t.false(Number.isNaN(await value(name, labels)), `${name}{${labels}}`);
  t.true(await value('kubeproxy_network_programming_duration_seconds_count', 'ip_family="IPv4"') >= 1);
  t.is(await value('kubeproxy_sync_proxy_rules_no_local_endpoints_total', 'ip_family="IPv4",traffic_policy="internal"'), 1);
  t.is(await value('kubeproxy_sync_proxy_rules_no_local_endpoints_total', 'ip_family="IPv4",traffic_policy="external"'), 1, 'web has no local endpoint any more');
  t.is(await value('kubeproxy_sync_proxy_rules_no_local_endpoints_total', 'ip_family="IPv6",traffic_policy="external"'), 0);
  harness.api.put(resources.endpointSlices, slice('inside-4', 'inside', [{ address: ADDRESSES.b[0], node: 'node1' }]));
  harness.api.remove(resources.services, 'default/web');
  await harness.synced();
  for (const policy of ['internal', 'external']) t.is(await value('kubeproxy_sync_proxy_rules_no_local_endpoints_total', `ip_family="IPv4",traffic_policy="${policy}"`), 0, policy);
  // Declared before anything of the kind has happened.
  const text = await harness.proxy.metricsText();
  for (const name of ['kubeproxy_sync_proxy_rules_nftables_sync_failures_total', 'kubeproxy_sync_proxy_rules_nftables_cleanup_failures_total', 'kubeproxy_conntrack_reconciler_deleted_entries_total', 'kubeproxy_proxy_healthz_total', 'kubeproxy_proxy_livez_total']) t.true(text.includes(`# TYPE ${name} counter`), name);
});
