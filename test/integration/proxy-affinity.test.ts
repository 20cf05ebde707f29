// Session affinity over both families and both protocols; source ranges that let the load balancer's own address in; health that tells
// an update which waits too long.
import test from 'ava';
import { execFileSync } from 'node:child_process';
import { KernelNft } from 'nftables-js';
import type { Nft } from 'nftables-js';
import { resources } from '@podwire/kube-client';
import { startProxy } from '@podwire/proxy';
import { tableSchema } from '../../proxy/ruleset/schema.ts';
import { ADDRESSES, until } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import type { Harness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';

let harness: Harness;
let nft: KernelNft;
test.before(async () => {
  harness = await createHarness();
  nft = KernelNft.open();
});
test.after.always(async () => {
  nft.close();
  await harness[Symbol.asyncDispose]();
});

const PODS = { b: 'node1', c: 'node2' } as const;
const endpoints = (name: string, ...pods: (keyof typeof PODS)[]): void => {
  for (const family of [0, 1] as const) harness.api.put(resources.endpointSlices, slice(`${name}-${family === 0 ? 4 : 6}`, name, pods.map((pod) => ({ address: ADDRESSES[pod][family], node: PODS[pod] }))));
};
const sticky = (timeoutSeconds?: number) => ({ sessionAffinity: 'ClientIP', ...(timeoutSeconds === undefined ? {} : { sessionAffinityConfig: { clientIP: { timeoutSeconds } } }) });

for (const family of [0, 1] as const) {
  const name = `sticky${family}`;
  const [cluster, external, node] = family === 0 ? ['10.96.5.1', '203.0.113.50', ADDRESSES.node1[0]] : ['fd96::5:1', '2001:db8::50', ADDRESSES.node1[1]];
  const ports = [{ name: 't', protocol: 'TCP', port: 80, nodePort: 30_500 + family }, { name: 'u', protocol: 'UDP', port: 80, nodePort: 30_500 + family }];
  const ask = async (from: 'a' | 'b' | 'outside', host: string, protocol: 'tcp' | 'udp', port = 80): Promise<string[]> => [...new Set((await harness.lab[from].ask({ protocol, host, port, count: 12 })).map((reply) => reply.split('|')[0] ?? ''))];

  test.serial(`a client keeps its endpoint per port and across addresses over IPv${family === 0 ? 4 : 6}, until that endpoint goes`, async (t) => {
    harness.api.put(resources.services, service(name, family === 0 ? [cluster] : ['10.96.5.9', cluster], { type: 'NodePort', ports, externalIPs: [external], ...sticky(600) }));
    endpoints(name, 'b', 'c');
    await harness.synced();
    for (const protocol of ['tcp', 'udp'] as const) {
      const [first = '', ...more] = await ask('a', cluster, protocol);
      t.deepEqual(more, [], `one endpoint for one client over ${protocol}`);
      t.deepEqual(await ask('a', external, protocol), [first], 'the external address');
      t.deepEqual(await ask('a', node, protocol, 30_500 + family), [first], 'the node port');
      t.deepEqual((await harness.predict({ from: harness.lab.a, protocol, host: cluster, port: 80 })).map((reply) => reply.split('|')[0]), [first], 'the model');
      const other = first === 'b' ? 'c' : 'b';
      endpoints(name, other);
      await harness.synced();
      t.deepEqual(await ask('a', cluster, protocol), [other], 'its endpoint is gone');
      endpoints(name, 'b', 'c');
      await harness.synced();
      t.deepEqual(await ask('a', cluster, protocol), [other], 'it stays when the first returns');
    }
  });

  test.serial(`each connection over IPv${family === 0 ? 4 : 6} lets the affinity last anew, and a time that is over ends it`, async (t) => {
    const put = (seconds: number): void => { harness.api.put(resources.services, service(name, family === 0 ? [cluster] : ['10.96.5.9', cluster], { type: 'NodePort', ports, externalIPs: [external], ...sticky(seconds) })); };
    put(600);
    await harness.synced();
    const table = harness.proxy.tables.find((one) => one.family === (family === 0 ? 'ip' : 'ip6'));
    const id = table?.state.portsOf(`default/${name}`).find((port) => port.key.endsWith('t/6'))?.id;
    /** Milliseconds that the kernel will still remember this client. */
    const left = async (): Promise<number | undefined> => (await nft.elements(tableSchema(family === 0 ? 'ip' : 'ip6').affinity)).find((element) => element.key[0] === id && element.key[1] === ADDRESSES.a[family])?.expiresMs;
    const [first = ''] = await ask('a', cluster, 'tcp');
    await until(async () => (await left() ?? 0) < 599_500, 'some time to pass');
    const before = await left() ?? 0;
    t.deepEqual(await ask('a', cluster, 'tcp'), [first]);
    t.true((await left() ?? 0) > before, 'it only grows when a connection renews it');
    put(1);
    await harness.synced();
    await ask('a', cluster, 'tcp');
    await until(async () => await left() === undefined, 'the affinity to end');
  });
}

test.serial('without a time-out, affinity lasts three hours', async (t) => {
  harness.api.put(resources.services, service('long', ['10.96.5.20'], sticky()));
  endpoints('long', 'b', 'c');
  await harness.synced();
  t.is(harness.proxy.tables[0]?.state.portsOf('default/long')[0]?.stickySeconds, 10_800);
});

test.serial('when a source range holds the node, the load balancer\'s own address may be the source, too', async (t) => {
  const lb = ['203.0.113.60', '2001:db8::60'] as const;
  // As with a load balancer that binds its addresses on every node: the node then speaks from that address.
  for (const address of lb) execFileSync('/sbin/ip', ['addr', 'add', address, 'dev', 'lo']);
  for (const [name, ranges, isLet] of [['own', [`${ADDRESSES.node1[0]}/32`, `${ADDRESSES.node1[1]}/128`], true], ['own', ['198.51.100.0/24', '2001:db8:1::/64'], false]] as const) {
    harness.api.put(resources.services, service(name, ['10.96.5.30', 'fd96::5:30'], { type: 'LoadBalancer', loadBalancerSourceRanges: [...ranges] }, { status: { loadBalancer: { ingress: lb.map((ip) => ({ ip })) } } }));
    endpoints(name, 'b');
    await harness.synced();
    for (const host of lb) {
      const [reply = ''] = await harness.lab.node1.ask({ protocol: 'tcp', host, port: 80, localAddress: host, timeoutMs: isLet ? 3000 : 250 });
      t.is(reply.split('|')[0], isLet ? 'b' : 'ETIMEDOUT', `${host} with ${ranges.join()}`);
    }
  }
});

test.serial('an update that waits longer than the time-out makes /healthz and /livez answer 503, and healthCheckNodePort, too; then 200 again', async (t) => {
  await harness.proxy.stop();
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  let isHeld = false;
  const held: Nft = {
    loadRuleset: (...of) => nft.loadRuleset(...of), list: (...of) => nft.list(...of), elements: (...of) => nft.elements(...of), generation: () => nft.generation(), monitor: (...of) => nft.monitor(...of),
    commit: async (...of) => {
      if (isHeld) await released;
      await nft.commit(...of);
    },
  };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const proxy = await startProxy({ client: harness.client, nodeName: 'node1', log, nft: held, config: { ...harness.config, healthzBindAddress: '127.0.0.1:10256', healthTimeoutMs: 50 } });
  try {
    harness.api.put(resources.services, service('checked', ['10.96.5.40'], { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: 30_998 }));
    endpoints('checked', 'b');
    const status = async (url: string): Promise<number | undefined> => (await fetch(url, { headers: { connection: 'close' } }).catch(() => undefined))?.status;
    const urls = ['http://127.0.0.1:10256/healthz', 'http://127.0.0.1:10256/livez', 'http://127.0.0.1:30998/'];
    const all = (code: number) => async (): Promise<boolean> => (await Promise.all(urls.map(status))).every((one) => one === code);
    await until(all(200), 'health');
    isHeld = true;
    endpoints('checked', 'b', 'c');
    await until(all(503), 'the update that waits to be told');
    isHeld = false;
    release(undefined);
    await until(all(200), 'health again');
    t.pass();
  } finally {
    release(undefined);
    await proxy.stop();
    await harness.restart();
  }
});
