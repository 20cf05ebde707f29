import test from 'ava';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { podNetworkConfig } from '../pod-network.ts';
import type { NetworkConfig } from '../protocol/config-types.ts';
import { planAttachment } from './attachment.ts';
import type { AddressGrant } from './attachment.ts';
import { aliasAddresses, attachmentTag, hostVethName, linkAlias, macOfIp } from './names.ts';
import { sha256 } from './sha256.ts';

const request = { containerId: 'c1', netns: '/run/netns/c1', ifname: 'eth0', podIdentity: { namespace: 'default', name: 'web' } };
const grant: AddressGrant = { ips: [{ address: '10.244.1.5/24', gateway: '10.244.1.1' }, { address: 'fd00:1::5/64', gateway: 'fd00:1::1' }], routes: [], dns: {} };
const config = (more: Partial<NetworkConfig> = {}): NetworkConfig => ({ ...podNetworkConfig({ podCIDRs: ['10.244.1.0/24', 'fd00:1::/64'], dataDir: '/tmp/none', mtu: 1450 }), ...more });
const words = (more: Partial<NetworkConfig> = {}, given: AddressGrant = grant): readonly string[] => planAttachment(config(more), request, given).steps.map((step) => {
  switch (step.do) {
    case 'host-sysctl': case 'pod-sysctl': return `${step.do} ${step.key}=${step.value}`;
    case 'bridge-address': return `${step.do} ${step.address}`;
    case 'address': return `address ${step.where} ${step.address}${step.nodad ? ' nodad' : ''}${step.noPrefixRoute ? ' noprefixroute' : ''}`;
    case 'route': return `route ${step.where} ${step.route.dst}${step.route.gw === undefined ? '' : ` via ${step.route.gw}`}`;
    case 'up': return `up ${step.where} ${step.name}`;
    case 'veth': return `veth ${step.host} ${step.name}${step.master === undefined ? '' : ` master ${step.master}`}`;
    case 'masquerade': return `masquerade ${step.rows.map((row) => `${row.source} except ${row.exempt.join(',')}`).join('; ')}`;
    default: return step.do;
  }
});
const veth = hostVethName(attachmentTag('podwire', request));

test('a bridge attachment is this list of kernel objects, in this order', (t) => {
  t.deepEqual(words({ ipMasq: true, macspoofchk: true }), [
    'host-sysctl net/ipv4/ip_forward=1',
    'host-sysctl net/ipv6/conf/all/forwarding=1',
    'bridge-filter',
    'bridge',
    'bridge-address 10.244.1.1/24',
    'bridge-address fd00:1::1/64',
    `veth ${veth} eth0 master pw-cni0`,
    'bridge-port',
    'mac-guard',
    `up host ${veth}`,
    'up pod lo',
    'pod-sysctl net/ipv6/conf/lo/disable_ipv6=0',
    'pod-sysctl net/ipv6/conf/eth0/disable_ipv6=0',
    'pod-sysctl net/ipv6/conf/eth0/accept_dad=0',
    'address pod 10.244.1.5/24',
    'address pod fd00:1::5/64 nodad',
    'up pod eth0',
    'route pod 0.0.0.0/0 via 10.244.1.1',
    'route pod ::/0 via fd00:1::1',
    'masquerade 10.244.1.5/32 except 10.244.1.0/24; fd00:1::5/128 except fd00:1::/64',
  ]);
});

test('a routed attachment needs no bridge: the gateway is the host end, and everything goes through it', (t) => {
  t.deepEqual(words({ mode: 'ptp' }, { ...grant, ips: [grant.ips[0]!] }), [
    'host-sysctl net/ipv4/ip_forward=1',
    `veth ${veth} eth0`,
    'address host 10.244.1.1/32 nodad noprefixroute',
    `up host ${veth}`,
    'route host 10.244.1.5/32',
    'up pod lo',
    'address pod 10.244.1.5/24 noprefixroute',
    'up pod eth0',
    'route pod 10.244.1.1/32',
    'route pod 10.244.1.0/24 via 10.244.1.1',
    'route pod 0.0.0.0/0 via 10.244.1.1',
  ]);
});

test('a default route that IPAM gives already is not added a second time by isDefaultGateway', (t) => {
  const routes = words({}, { ...grant, routes: [{ dst: '0.0.0.0/0', gw: '10.244.1.254' }, { dst: '10.0.0.0/8' }] }).filter((word) => word.startsWith('route'));
  t.deepEqual(routes, ['route pod 0.0.0.0/0 via 10.244.1.254', 'route pod 10.0.0.0/8 via 10.244.1.1', 'route pod ::/0 via fd00:1::1']);
});

test('with enabledad, addresses are probed and waited for', (t) => {
  const list = words({ enabledad: true });
  t.true(list.includes('address pod fd00:1::5/64'));
  t.is(list.at(-1), 'settle');
  t.false(list.some((word) => word.includes('accept_dad')));
});

test('an interface without addresses is made and left down on request', (t) => {
  const { ipam: _, ...rest } = config();
  const plan = planAttachment({ ...rest, disableContainerInterface: true }, request, { ips: [], routes: [], dns: {} });
  t.deepEqual(plan.steps.map((step) => step.do), ['bridge-filter', 'bridge', 'veth', 'bridge-port', 'up']);
});

test('the MAC is the wanted one, else follows from the address', (t) => {
  const mac = (more: Partial<NetworkConfig>, args: Record<string, string> = {}): string | undefined => planAttachment(config(more), { ...request, args }, grant).result.interfaces[2]?.mac;
  t.is(mac({}), '0a:58:0a:f4:01:05');
  t.is(mac({}, { MAC: '02:00:00:00:00:07' }), '02:00:00:00:00:07');
  t.is(mac({ runtimeConfig: { mac: '02:00:00:00:00:08' } }, { MAC: '02:00:00:00:00:07' }), '02:00:00:00:00:08');
});

test('names fit the kernel and differ between attachments; addresses are read back from the alias', (t) => {
  fc.assert(fc.property(fc.string(), fc.string(), fc.string(), fc.string(), (network, a, b, ifname) => {
    const [one, two] = [a, b].map((containerId) => hostVethName(attachmentTag(network, { containerId, ifname })));
    t.is(one?.length, 15);
    t.is(one === two, a === b);
  }));
  const alias = linkAlias('net', { ...request, containerId: 'x'.repeat(300) }, ['10.0.0.1', 'fd00::1']);
  t.is(alias.length, 255);
  t.deepEqual(aliasAddresses(alias), ['10.0.0.1', 'fd00::1']);
  t.regex(macOfIp({ family: 6, value: 5n }), /^0a:5a(:[0-9a-f]{2}){4}$/);
});

test('sha256 is SHA-256', (t) => {
  fc.assert(fc.property(fc.string({ maxLength: 300 }), (text) => {
    t.is(sha256(text), createHash('sha256').update(text).digest('hex'));
  }));
});
