// Masquerade with traffic: both families, and beside the node-wide rows of the overlay.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { KernelNft } from 'nftables-js';
import { basename } from 'node:path';
import { attach, check, detach, podNetworkConfig } from '../../cni/index.ts';
import type { CniResult, NetworkConfig } from '../../cni/index.ts';
import { syncEgress } from '../../cni/overlay/egress.ts';
import { TestBed, run } from '../../cni/testing/test-bed.ts';

unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');
const bed = new TestBed();
test.after.always(() => bed.close());

// The world beyond the node, with a second address that stands for another node's pod.
const world = bed.pod('world');
const inWorld = basename(world.netns);
run('/sbin/ip', 'link', 'add', 'up0', 'type', 'veth', 'peer', 'name', 'up1', 'netns', inWorld);
for (const address of ['192.0.2.1/24', '2001:db8::1/64']) run('/sbin/ip', 'addr', 'add', address, 'dev', 'up0', ...(address.includes(':') ? ['nodad'] : []));
run('/sbin/ip', 'link', 'set', 'up0', 'up');
for (const address of ['192.0.2.2/24', '2001:db8::2/64', '10.244.9.9/32', 'fd44:9::9/128']) run('/sbin/ip', '-n', inWorld, 'addr', 'add', address, 'dev', 'up1', ...(address.includes(':') ? ['nodad'] : []));
run('/sbin/ip', '-n', inWorld, 'link', 'set', 'up1', 'up');
for (const [to, via] of [['10.244.9.0/24', '192.0.2.2'], ['fd44:9::/64', '2001:db8::2']] as const) run('/sbin/ip', 'route', 'add', to, 'via', via);
for (const [to, via] of [['10.244.0.0/16', '192.0.2.1'], ['fd44::/16', '2001:db8::1']] as const) run('/sbin/ip', '-n', inWorld, 'route', 'add', to, 'via', via);

const podCIDRs = ['10.244.1.0/24', 'fd44:1::/64'];
const configOf = (name: string): NetworkConfig => podNetworkConfig({ name, bridge: 'pw-eg0', podCIDRs, dataDir: bed.dataDir, ipMasq: true });
const plug = (config: NetworkConfig, id: string, netns: string): Promise<CniResult> => attach(config, { containerId: id, netns, ifname: 'eth0' });
const rows = (): string => ['masq4', 'masq6', 'keep4', 'keep6'].map((set) => run('/usr/sbin/nft', 'list', 'set', 'inet', 'podwire-cni', set)).join('');

test.serial('ipMasq: the world sees the node\'s address, in both families', async (t) => {
  const config = configOf('both');
  const pod = bed.pod('both');
  const result = await plug(config, 'a', pod.netns);
  await world.serve(80);
  t.is(await pod.tcp('192.0.2.2', 80), '192.0.2.1');
  t.is(await pod.tcp('2001:db8::2', 80), '2001:db8::1');
  t.is(await pod.udp('2001:db8::2', 80), '2001:db8::1 8');
  // Nobody said that this network is one of the cluster's: with the pod's rows alone it is world too.
  t.is(await pod.tcp('fd44:9::9', 80), '2001:db8::1');
  await check({ ...config, prevResult: result }, { containerId: 'a', netns: pod.netns, ifname: 'eth0' });
  await detach(config, { containerId: 'a', netns: '', ifname: 'eth0' });
  t.notRegex(rows(), /10\.244|fd44/);
});

for (const first of ['node', 'pod'] as const) {
  test.serial(`ipMasq and the node's own masquerade, ${first} first: a packet gets the node's address, one inside the cluster keeps its own`, async (t) => {
    const config = configOf(`${first}-first`);
    const pod = bed.pod(`${first}-first`);
    using nft = KernelNft.open();
    const sync = (): Promise<void> => syncEgress(nft, podCIDRs, ['10.244.0.0/16', 'fd44::/16'], AbortSignal.timeout(10_000));
    if (first === 'node') await sync();
    const result = await plug(config, 'a', pod.netns);
    if (first === 'pod') await sync();
    const [v4 = '', v6 = ''] = result.ips.map(({ address }) => address.split('/')[0] ?? '');
    await world.serve(80);
    t.is(await pod.tcp('192.0.2.2', 80), '192.0.2.1');
    t.is(await pod.tcp('2001:db8::2', 80), '2001:db8::1');
    t.is(await pod.tcp('10.244.9.9', 80), v4);
    t.is(await pod.tcp('fd44:9::9', 80), v6);
    await check({ ...config, prevResult: result }, { containerId: 'a', netns: pod.netns, ifname: 'eth0' });
    // What the pod leaves is the node's: its rows stay, and the pod's are gone.
    await detach(config, { containerId: 'a', netns: '', ifname: 'eth0' });
    const left = rows();
    t.regex(left, /10\.244\.1\.0\/24 \. 0\.0\.0\.0\/0 comment "overlay"/);
    t.notRegex(left, /comment "(?!overlay)/);
    await sync();
    t.is(rows(), left, 'nothing to put right');
    await syncEgress(nft, [], [], AbortSignal.timeout(10_000));
  });
}
