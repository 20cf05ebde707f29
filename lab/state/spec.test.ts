import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { LabError } from '../errors.ts';
import { takeLock } from './lock.ts';
import { labNames, nodeCable } from './names.ts';
import { desiredSpec, readSpec, underlayAddresses, writeSpec } from './spec.ts';
import { overlap, parseRange, pickUnderlay, routeRange, toAddress, toNumber } from './subnets.ts';

const options = { stateDir: '/nowhere/lab' };

test('a lab without options has three nodes and the usual ranges', (t) => {
  const spec = desiredSpec('00000a', options, undefined, []);
  t.like(spec, { nodes: 3, podCIDR: '10.244.0.0/16', serviceCIDR: '10.96.0.0/16', underlayCIDR: '10.200.10.0/24', apiPort: 6443, networkMode: 'vxlan' });
  const addresses = underlayAddresses(spec);
  t.deepEqual([addresses.gateway, addresses.node(1), addresses.node(3), addresses.prefix], ['10.200.10.1', '10.200.10.11', '10.200.10.13', 24]);
});

for (const [title, flags, pattern] of [
  ['no CIDR at all', { podCIDR: 'ten' }, /--pod-cidr: 'ten' is not an IPv4 CIDR/u],
  ['host bits', { serviceCIDR: '10.96.0.1/16' }, /--service-cidr: '10.96.0.1\/16' has host bits set; did you mean 10.96.0.0\/16\?/u],
  ['a prefix that is too long', { podCIDR: '10.244.0.0/28' }, /--pod-cidr: .* prefix outside/u],
  ['ranges that overlap', { podCIDR: '10.0.0.0/8' }, /--pod-cidr 10\.0\.0\.0\/8 and --service-cidr 10\.96\.0\.0\/16 overlap/u],
  ['an underlay in the pods range', { underlayCIDR: '10.244.3.0/24' }, /--underlay-cidr 10\.244\.3\.0\/24 and --pod-cidr .* overlap/u],
  ['no nodes', { nodes: 0 }, /--nodes: 0/u],
  ['a port that is none', { apiPort: 70_000 }, /--api-port: 70000/u],
] as const) {
  test(`${title} is refused with the name of the flag`, (t) => {
    const error = t.throws(() => desiredSpec('000001', { ...options, ...flags }, undefined, []), { instanceOf: LabError });
    t.is(error.code, 'EUSAGE');
    t.regex(error.message, pattern);
  });
}

test('an underlay that the machine already has a route to is refused when asked for and avoided when not', (t) => {
  const taken = [routeRange('10.200.1.0/24')!];
  t.throws(() => desiredSpec('000001', { ...options, underlayCIDR: '10.200.1.0/24' }, undefined, taken), { message: /already has a route to 10\.200\.1\.0\/24/u });
  t.is(desiredSpec('000001', options, undefined, taken).underlayCIDR, '10.200.2.0/24');
});

test('a second up keeps what the first one chose and refuses to change it', (t) => {
  const first = desiredSpec('000001', { ...options, podCIDR: '10.50.0.0/16', nodes: 2 }, undefined, []);
  t.deepEqual(desiredSpec('000001', options, first, []), first);
  t.is(desiredSpec('000001', { ...options, nodes: 5 }, first, []).nodes, 5);
  t.throws(() => desiredSpec('000001', { ...options, podCIDR: '10.51.0.0/16' }, first, []), { message: /--pod-cidr: the lab in .* was made with 10\.50\.0\.0\/16/u });
});

test('law: the chosen underlay never overlaps what is taken', (t) => {
  const range = fc.record({ address: fc.integer({ min: toNumber('10.199.0.0'), max: toNumber('10.204.0.0') }), prefix: fc.integer({ min: 18, max: 32 }) })
    .map(({ address, prefix }) => routeRange(`${toAddress(address)}/${prefix}`)!);
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xff_ff_ff }), fc.array(range, { maxLength: 12 }), (id, taken) => {
    const picked = parseRange('--underlay-cidr', pickUnderlay(id.toString(16).padStart(6, '0'), taken), { min: 24, max: 24 });
    return taken.every((one) => !overlap(one, picked));
  }));
  t.pass();
});

test('default routes are no obstacle, host routes are', (t) => {
  t.is(routeRange('default'), undefined);
  t.is(routeRange('0.0.0.0/0'), undefined);
  t.like(routeRange('10.1.2.3'), { first: toNumber('10.1.2.3'), last: toNumber('10.1.2.3') });
});

test('device names of a lab fit the kernel, and two folders have two ids', (t) => {
  const a = labNames('/nowhere/a');
  t.not(a.id, labNames('/nowhere/b').id);
  t.is(a.id, labNames('/nowhere/x/../a').id);
  t.true(nodeCable(a, 100).length <= 15);
});

test('a state file of another version is named together with the remedy', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'lab-spec-'));
  t.teardown(() => { rmSync(folder, { recursive: true }); });
  const names = labNames(folder);
  const spec = desiredSpec(names.id, { stateDir: folder }, undefined, []);
  writeSpec(names, spec);
  t.deepEqual(readSpec(names), spec);
  writeFileSync(names.stateFile, '{"version": 99');
  t.throws(() => readSpec(names), { message: /cannot be read as a lab of this version; run: podwire down/u });
});

test('a second up on the same lab is told that one is at work, and can go on when that has ended', async (t) => {
  const names = labNames('/nowhere/locked');
  {
    await using _first = await takeLock(names);
    await t.throwsAsync(takeLock(names), { instanceOf: LabError, message: /another 'podwire up' or 'down' is at work/u });
  }
  const again = await takeLock(names);
  await again.release();
  t.pass();
});
