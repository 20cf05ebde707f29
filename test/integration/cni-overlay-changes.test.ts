// What changes on one node loses no packet between two others, and an overlay that was away finds its way back.
import test from 'ava';
import { unshareNetns } from '@podwire/netlink';
import { vtepMacOf } from '../../cni/overlay/node-view.ts';
import { TestUnderlay, nodeObject, rows, same, until, vxlanRows } from '../../cni/overlay/testing/cluster.ts';
import type { Cluster, TestNode } from '../../cni/overlay/testing/cluster.ts';
import { UdpPath } from '../../cni/overlay/testing/udp-probe.ts';

unshareNetns();
const underlay = new TestUnderlay();
const { nodes } = underlay;
const [node1, node2, node3] = nodes;
test.after.always(() => underlay[Symbol.dispose]());

const withMac = (node: TestNode, mac = vtepMacOf(node.name, 4096)): ReturnType<typeof nodeObject> => {
  const object = nodeObject(node);
  return { ...object, metadata: { ...object.metadata, annotations: { 'podwire.io/vtep-mac': mac } } };
};

/** Datagrams from the pod of node1 to that of node2, twenty before each look at the condition. */
class Flow implements Disposable {
  readonly #paths = [new UdpPath(underlay.pod(1), underlay.pod(2), '10.244.2.2'), new UdpPath(underlay.pod(1), underlay.pod(2), 'fd44:0:0:2::2')];
  sent = 0;
  lost = 0;

  readonly during = (check: () => boolean) => (): boolean => {
    for (let n = 0; n < 10; n += 1) {
      for (const path of this.#paths) {
        this.sent += 1;
        if (path.send() !== 'arrived') this.lost += 1;
      }
    }
    return check();
  };

  [Symbol.dispose](): void { for (const path of this.#paths) path[Symbol.dispose](); }
}

async function standing(t: Parameters<TestUnderlay['cluster']>[0]): Promise<Cluster> {
  const cluster = underlay.cluster(t, 'vxlan');
  for (const node of nodes) cluster.list.put(withMac(node));
  for (const node of nodes) await cluster.start(node);
  await Promise.all(nodes.map(async (node) => cluster.overlay(node).synced));
  await until('all rows', () => nodes.every((node) => same(rows(node), vxlanRows(node, nodes))));
  return cluster;
}

test.serial('a peer that changes its MAC, then its address, then both back, loses nobody else a packet', async (t) => {
  const { list, overlay } = await standing(t);
  await overlay(node3).stop();
  using flow = new Flow();
  const mac = '0e:00:00:00:00:33';
  const moved: TestNode = { ...node3, ip: '172.30.0.33' };
  for (const [what, node, address] of [['MAC', node3, mac], ['address', moved, mac], ['both', node3, vtepMacOf('node3', 4096)]] as const) {
    list.put(withMac(node, address));
    const macOf = (peer: TestNode): string => (peer.name === 'node3' ? address : vtepMacOf(peer.name, 4096));
    await until(`${what} of node3 is known`, flow.during(() => [node1, node2].every((self) => same(rows(self), vxlanRows(self, [node1, node2, node].filter((peer) => peer !== self), macOf)))));
  }
  t.is(flow.lost, 0, `of ${flow.sent} packets`);
});

test.serial('an overlay that restarts touches nothing that is right: no packet is lost, no row is written', async (t) => {
  const { overlay, start } = await standing(t);
  using flow = new Flow();
  for (const node of [node1, node2]) {
    await overlay(node).stop();
    flow.during(() => true)();
    await start(node);
    let isSynced = false;
    void overlay(node).synced.then(() => { isSynced = true; });
    await until(`${node.name} is in step again`, flow.during(() => isSynced));
    t.is(overlay(node).state().changes, 0, node.name);
  }
  t.is(flow.lost, 0, `of ${flow.sent} packets`);
});

test.serial('peers change while the agent is away: its kernel equals the list when it is back, and the peer that stayed lost nothing', async (t) => {
  const { list, overlay, start } = await standing(t);
  using flow = new Flow();
  await overlay(node1).stop();
  list.remove('node3');
  const joined: TestNode = { name: 'node7', n: 7, netns: '', ip: '172.30.0.7', ip6: 'fd30::7', podCIDR: '10.244.7.0/24', podCIDR6: 'fd44:0:0:7::/64' };
  list.put(withMac(joined));
  await until('node2 has seen it', flow.during(() => same(rows(node2), vxlanRows(node2, [node1, node2, joined]))));
  t.deepEqual(rows(node1), vxlanRows(node1, nodes), 'nobody has touched the kernel of the node whose agent is away');
  const since = performance.now();
  await start(node1);
  await until('node1 is right', flow.during(() => same(rows(node1), vxlanRows(node1, [node1, node2, joined]))));
  t.log(`from the start to a kernel that equals the list: ${(performance.now() - since).toFixed(0)} ms, datagrams on the way included`);
  t.is(flow.lost, 0, `of ${flow.sent} packets`);
});
