// Bandwidth limits with traffic, read from the kernel's own counters.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { attach, check, detach, parseNetworkConfig } from '../../cni/index.ts';
import type { CniResult, NetworkConfig } from '../../cni/index.ts';
import { TestBed, ipJson, run } from '../../cni/testing/test-bed.ts';
import { eventually } from '../helpers/poll.ts';

unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');
// What the limits tell apart: two other ends on the host.
for (const address of ['198.51.100.1/32', '203.0.113.1/32', '2001:db8:1::1/128', '2001:db8:2::1/128']) run('/sbin/ip', 'addr', 'add', address, 'dev', 'lo');
const bed = new TestBed();
const host = bed.host();
test.after.always(() => bed.close());

const rate = 800_000;
const burst = 160_000;
/** A third of its own for each: bridges stay, and so do their routes. */
const parse = (name: string, third: number, bandwidth: object): NetworkConfig => parseNetworkConfig({
  cniVersion: '1.1.0', name, type: 'podwire', bridge: `pw-${name}`, runtimeConfig: { bandwidth: { ingressRate: rate, ingressBurst: burst, egressRate: rate, egressBurst: burst, ...bandwidth } },
  ipam: { type: 'host-local', ranges: [[{ subnet: `10.71.${third}.0/24` }], [{ subnet: `fd71:${third}::/64` }]], dataDir: bed.dataDir },
});
const request = (containerId: string, netns: string) => ({ containerId, netns, ifname: 'eth0' });

interface Counters { readonly bytes: number; readonly drops: number }
interface Bucket extends Counters { readonly kind: string; readonly root?: boolean }
const bucketOf = (dev: string): Bucket => (JSON.parse(run('/sbin/tc', '-s', '-j', 'qdisc', 'show', 'dev', dev)) as Bucket[]).find(({ root }) => root === true)!;
const devices = (result: CniResult): readonly { readonly dev: string; readonly direction: 'ingress' | 'egress' }[] =>
  [{ dev: result.interfaces[1]!.name, direction: 'ingress' }, { dev: String(ipJson('link', 'show', 'type', 'ifb')[0]!['ifname']), direction: 'egress' }];

/** Bytes that went through each class of HTB since the classes were made. */
function classBytes(dev: string): Readonly<Record<'shaped' | 'unshaped', number>> {
  const text = run('/sbin/tc', '-s', 'class', 'show', 'dev', dev);
  const of = (handle: string): number => Number(new RegExp(`class htb ${handle} [^]*?Sent (\\d+) bytes`).exec(text)?.[1]);
  return { shaped: of('1:30'), unshaped: of('1:1') };
}

test.serial('more than the bucket holds does not pass, in either direction', async (t) => {
  const config = parse('bucket', 0, {});
  const pod = bed.pod('bucket');
  const result = await attach(config, request('a', pod.netns));
  const since = performance.now();
  await host.flood('10.71.0.2', 400);
  await pod.flood('198.51.100.1', 400);
  for (const { dev, direction } of devices(result)) {
    const { kind, bytes, drops } = bucketOf(dev);
    const mostBytes = burst / 8 + (rate / 8) * ((performance.now() - since) / 1000) + 2000;
    t.is(kind, 'tbf');
    t.true(bytes > burst / 16 && bytes <= mostBytes, `${direction}: ${bytes} bytes went, at most ${mostBytes} may`);
    t.true(drops > 0, `${direction}: what the bucket and its queue do not hold is dropped`);
  }
  await detach(config, request('a', pod.netns));
});

for (const [key, third] of [['shapedSubnets', 1], ['unshapedSubnets', 2]] as const) {
  test.serial(`${key}: the other end of a packet decides whether the limit holds for it`, async (t) => {
    const config = parse(key === 'shapedSubnets' ? 'some' : 'others', third, { [key]: ['198.51.100.0/24', '2001:db8:1::/48'] });
    const pod = bed.pod(key);
    const result = await attach(config, request('a', pod.netns));
    await check({ ...config, prevResult: result }, request('a', pod.netns));
    const [named, other] = key === 'shapedSubnets' ? ['shaped', 'unshaped'] as const : ['unshaped', 'shaped'] as const;
    for (const [v4, v6, expected, notExpected] of [['198.51.100.1', '2001:db8:1::1', named, other], ['203.0.113.1', '2001:db8:2::1', other, named]] as const) {
      const before = devices(result).map(({ dev }) => classBytes(dev));
      for (const [address, podAddress] of [[v4, `10.71.${third}.2`], [v6, `fd71:${third}::2`]] as const) {
        await host.flood(podAddress, 5, address);
        await pod.flood(address, 5);
      }
      for (const [index, { dev, direction }] of devices(result).entries()) {
        const grown = (kind: 'shaped' | 'unshaped'): number => classBytes(dev)[kind] - before[index]![kind];
        await eventually(`${direction} with ${v4} and ${v6} is ${expected}`, () => grown(expected) >= 10 * 1042);
        // Neighbour discovery and the like, which are in no subnet, are some hundred bytes; a family in the wrong class would be five thousand.
        t.true(grown(notExpected) < 5000, `${direction} with ${v4} and ${v6} is not ${notExpected}: ${grown(notExpected)} bytes`);
      }
    }
    run('/sbin/tc', 'class', 'change', 'dev', result.interfaces[1]!.name, 'parent', '1:', 'classid', '1:30', 'htb', 'rate', '1mbit');
    await t.throwsAsync(check({ ...config, prevResult: result }, request('a', pod.netns)), { code: 105 as never, message: /limited to 1000000 bit\/s, not 800000/ });
    await detach(config, request('a', pod.netns));
    t.deepEqual(ipJson('link', 'show', 'type', 'ifb'), []);
  });
}

test('both lists at once, and what is no network, are refused by name', (t) => {
  t.throws(() => parse('both', 3, { shapedSubnets: ['10.0.0.0/8'], unshapedSubnets: ['10.1.0.0/16'] }), { code: 7 as never, message: /unshapedSubnets: .*exclude each other/ });
  t.throws(() => parse('bad', 3, { shapedSubnets: ['10.0.0.0'] }), { code: 7 as never, message: /shapedSubnets: .*"10\.0\.0\.0", which is not a network/ });
});
