import test from 'ava';
import type { Service } from '@podwire/kube-client';
import { parseCidr } from '../node/pod-cidrs.ts';
import { assignAddresses, wantsAddress } from './load-balancer.ts';

const service = (name: string, spec: Service['spec'] = {}, ips: readonly string[] = []): Service => ({ metadata: { name, uid: name }, spec: { type: 'LoadBalancer', ...spec }, status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } } });
const ranges = [parseCidr('172.30.0.0/29'), parseCidr('fd00:30::/125')];

test('a Service gets the lowest free address, never the first of the range, and keeps it', (t) => {
  t.deepEqual(assignAddresses(service('a'), ranges, []), { ingress: [{ ip: '172.30.0.1', ipMode: 'VIP' }] });
  t.deepEqual(assignAddresses(service('b'), ranges, [service('a', {}, ['172.30.0.1'])]), { ingress: [{ ip: '172.30.0.2', ipMode: 'VIP' }] });
  t.deepEqual(assignAddresses(service('c', {}, ['172.30.0.5']), ranges, []), { ingress: [{ ip: '172.30.0.5', ipMode: 'VIP' }] });
});

test('a dual-stack Service gets one address of each family', (t) => {
  t.deepEqual(assignAddresses(service('a', { ipFamilies: ['IPv6', 'IPv4'] }), ranges, []), { ingress: [{ ip: 'fd00:30::1', ipMode: 'VIP' }, { ip: '172.30.0.1', ipMode: 'VIP' }] });
});

test('an asked address is given when free, and its being taken is said', (t) => {
  t.deepEqual(assignAddresses(service('a', { loadBalancerIP: '172.30.0.6' }), ranges, []), { ingress: [{ ip: '172.30.0.6', ipMode: 'VIP' }] });
  t.deepEqual(assignAddresses(service('b', { loadBalancerIP: '172.30.0.6' }), ranges, [service('a', {}, ['172.30.0.6'])]), { problem: 'address 172.30.0.6 is taken' });
});

test('a full range is said by name', (t) => {
  const others = Array.from({ length: 7 }, (_, index) => service(`s${index}`, {}, [`172.30.0.${index + 1}`]));
  t.deepEqual(assignAddresses(service('x'), ranges, others), { problem: 'no address is free in 172.30.0.0/29' });
});

test('a Service of a class of somebody else is left alone', (t) => {
  t.false(wantsAddress(service('a', { loadBalancerClass: 'example.com/other' })));
  t.true(wantsAddress(service('a')));
});
