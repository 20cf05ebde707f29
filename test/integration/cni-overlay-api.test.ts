// The overlay against the API server over HTTPS: what it publishes is accepted, a Node created or deleted there reaches the kernel, and a lost server does no harm.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { pino } from 'pino';
import { KubeClient, loadKubeconfig, resources } from '@podwire/kube-client';
import type { Node } from '@podwire/kube-client';
import { addAddress, addLink, createNetns, deleteNetns, listRoutes, openRoute, setLink, unshareNetns } from '@podwire/netlink';
import { startApiServer } from '../../apiserver-lite/index.ts';
import { startOverlay } from '../../cni/index.ts';
import type { OverlayHandle } from '../../cni/index.ts';
import { ROUTE_PROTOCOL } from '../../cni/overlay/kernel.ts';
import { eventually } from '../helpers/poll.ts';

unshareNetns();
const rt = openRoute();
setLink(rt, 'lo', { up: true });
const directory = mkdtempSync(join(tmpdir(), 'cni-overlay-api-'));
const names = [1, 2].map((n) => `ovapi${process.pid}-${n}`);
const stop = new AbortController();
const handles: OverlayHandle[] = [];
const log = pino({ level: 'silent' });
const serve = async (port: number) => startApiServer({ dataDir: directory, bindAddress: '127.0.0.1', securePort: port, controllers: false, log });
let server: Awaited<ReturnType<typeof serve>> | undefined;

test.after.always(async () => {
  stop.abort();
  await Promise.all(handles.map(async (handle) => handle.stop()));
  await server?.stop();
  for (const name of names) deleteNetns(name);
  rmSync(directory, { recursive: true, force: true });
  rt.close();
});

const peerRoutes = (netns: string): string[] => {
  using there = openRoute({ netns });
  return listRoutes(there, { protocol: ROUTE_PROTOCOL, family: 4 }).map(({ to }) => to).toSorted();
};

test('nodes join, publish themselves, survive a restart of the API server, and leave', async (t) => {
  server = await serve(0);
  const { port } = server;
  const client = new KubeClient(loadKubeconfig(server.kubeconfig));
  addLink(rt, { name: 'underlay', kind: 'bridge', up: true });
  const nodes = names.map((name, index) => {
    const n = index + 1;
    const netns = createNetns(name);
    addLink(rt, { name: `u${n}`, kind: 'veth', master: 'underlay', up: true, peer: { name: 'eth0', netns, up: true } });
    using there = openRoute({ netns });
    addAddress(there, 'eth0', `172.30.0.${n}/24`);
    return { name: `node${n}`, ip: `172.30.0.${n}`, podCIDR: `10.244.${n}.0/24`, netns };
  });
  for (const { name, ip, podCIDR, netns } of nodes) {
    const node: Node = { apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: { podCIDR, podCIDRs: [podCIDR] } };
    const created = await client.create(resources.nodes, node);
    await client.updateStatus(resources.nodes, { ...created, status: { addresses: [{ type: 'InternalIP', address: ip }], conditions: [{ type: 'Ready', status: 'True', reason: 'Test', message: 'untouched by the overlay' }] } });
    handles.push(await startOverlay({ client, nodeName: name, nodeIPs: [ip], podCIDRs: [podCIDR], clusterCIDRs: ['10.244.0.0/16'], serviceCIDRs: ['10.96.0.0/16'], netns, log, signal: stop.signal }));
  }
  await Promise.all(handles.map(async (handle) => handle.synced));
  const [first, second] = nodes;
  const own = await client.get(resources.nodes, { name: 'node1' });
  t.is(own.metadata?.annotations?.['podwire.io/public-ip'], '172.30.0.1');
  t.deepEqual(own.status?.conditions?.map(({ type, status }) => `${type}=${status}`).toSorted(), ['NetworkUnavailable=False', 'Ready=True']);
  await eventually('each knows the other', () => peerRoutes(first?.netns ?? '').includes('10.244.2.0/24') && peerRoutes(second?.netns ?? '').includes('10.244.1.0/24'));

  await server.stop();
  t.true(peerRoutes(first?.netns ?? '').includes('10.244.2.0/24'), 'without an API server everything stays');
  server = await serve(port);
  const again = new KubeClient(loadKubeconfig(server.kubeconfig));
  await again.delete(resources.nodes, { name: 'node2' });
  await eventually('node2 is forgotten', () => !peerRoutes(first?.netns ?? '').includes('10.244.2.0/24'));
  t.deepEqual(peerRoutes(first?.netns ?? ''), ['10.96.0.0/16']);
});
