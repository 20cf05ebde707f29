import test from 'ava';
import fc from 'fast-check';
import { runPlugin } from '../plugins/run.ts';
import { parseNetworkConfig, parseValidAttachments } from './config.ts';
import { parseArgs, parseEnvironment } from './environment.ts';
import { Reader } from './reader.ts';
import type { CniResult } from './result.ts';
import { atLeast, parseResult, resultForVersion, supportedVersions } from './versions.ts';

const result: CniResult = {
  interfaces: [{ name: 'br0', mac: '02:00:00:00:00:01', mtu: 1450 }, { name: 'eth0', mac: '02:00:00:00:00:02', mtu: 1450, sandbox: '/run/netns/x' }],
  ips: [{ address: '10.1.2.3/24', gateway: '10.1.2.1', interface: 1 }, { address: 'fd00::3/64', interface: 1 }],
  routes: [{ dst: '0.0.0.0/0', gw: '10.1.2.1', mtu: 1400, advmss: 1360, priority: 7, table: 100, scope: 0 }],
  dns: { nameservers: ['10.1.2.1'] },
};

test('a result has the shape of the version that was asked for', (t) => {
  t.deepEqual(resultForVersion(result, '0.3.1'), {
    cniVersion: '0.3.1',
    interfaces: [{ name: 'br0', mac: '02:00:00:00:00:01' }, { name: 'eth0', mac: '02:00:00:00:00:02', sandbox: '/run/netns/x' }],
    ips: [{ version: '4', interface: 1, address: '10.1.2.3/24', gateway: '10.1.2.1' }, { version: '6', interface: 1, address: 'fd00::3/64' }],
    routes: [{ dst: '0.0.0.0/0', gw: '10.1.2.1' }],
    dns: { nameservers: ['10.1.2.1'] },
  });
  const now = resultForVersion(result, '1.1.0');
  t.deepEqual(now['routes'], result.routes);
  t.deepEqual(now['interfaces'], result.interfaces);
  t.false('version' in (now['ips'] as object[])[0]!);
});

test('what we answer we can read back, in the latest version without loss', (t) => {
  for (const version of supportedVersions) {
    const back = parseResult(resultForVersion(result, version), 'prevResult');
    t.deepEqual(back.ips, result.ips);
    if (version === '1.1.0') t.deepEqual(back, result);
  }
});

test('versions are compared as numbers', (t) => {
  t.true(atLeast('0.10.0', '0.4.0'));
  t.false(atLeast('0.3.1', '0.4.0'));
  t.true(atLeast('1.1.0', '1.1.0'));
});

test('the defaults are those of the name: pods get a gateway, a stand-in behaves as what it stands in for', (t) => {
  const base = { cniVersion: '1.0.0', name: 'n', ipam: { type: 'host-local', subnet: '10.0.0.0/24' } };
  const [own, bridge, ptp] = ['podwire', 'bridge', 'ptp'].map((type) => parseNetworkConfig({ ...base, type }));
  t.like(own, { mode: 'bridge', bridge: 'pw-cni0', isGateway: true, isDefaultGateway: true, hairpinMode: true });
  t.like(bridge, { mode: 'bridge', bridge: 'cni0', isGateway: false, isDefaultGateway: false, hairpinMode: false });
  t.like(ptp, { mode: 'ptp', isDefaultGateway: false });
  t.is(parseNetworkConfig({ ...base, type: 'podwire', mode: 'ptp' }).mode, 'ptp');
});

test('keys are found in another case, as Go finds them, unless the exact one is there', (t) => {
  t.is(new Reader({ bandWidth: 'x' }, '').string('bandwidth'), 'x');
  t.is(new Reader({ MTU: 1, mtu: 2 }, '').integer('mtu', 0, 9), 2);
});

test('GC: an empty list and null are none, a missing key is an error', (t) => {
  const parse = (value: object): unknown => parseValidAttachments(new Reader(value, ''));
  t.deepEqual(parse({ 'cni.dev/valid-attachments': [] }), []);
  t.deepEqual(parse({ 'cni.dev/valid-attachments': null }), []);
  t.deepEqual(parse({ 'cni.dev/attachments': [{ containerID: 'a', ifname: 'eth0' }] }), [{ containerId: 'a', ifname: 'eth0' }]);
  t.throws(() => parse({}), { message: /missing/ });
});

test('the environment: what each verb needs is named when it is missing', (t) => {
  t.is(parseEnvironment({}), undefined);
  t.throws(() => parseEnvironment({ CNI_COMMAND: 'ADD', CNI_IFNAME: 'eth0' }), { message: /CNI_CONTAINERID, CNI_NETNS/, code: 4 as never });
  t.throws(() => parseEnvironment({ CNI_COMMAND: 'GC' }), { message: /CNI_PATH/ });
  t.is(parseEnvironment({ CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a', CNI_IFNAME: 'eth0' })?.netns, '');
  t.is(parseEnvironment({ CNI_COMMAND: 'STATUS' })?.verb, 'STATUS');
  t.deepEqual(parseArgs('IgnoreUnknown=1;K8S_POD_NAME=a=b'), { IgnoreUnknown: '1', K8S_POD_NAME: 'a=b' });
});

test('whatever comes in, one JSON object with a code goes out', async (t) => {
  await fc.assert(fc.asyncProperty(fc.oneof(fc.json(), fc.string()), fc.constantFrom('ADD', 'CHECK', 'GC', 'STATUS', 'VERSION', 'X'), async (input, verb) => {
    const outcome = await runPlugin('podwire', { CNI_COMMAND: verb, CNI_PATH: '/x', CNI_CONTAINERID: 'a', CNI_NETNS: '/absent', CNI_IFNAME: 'eth0' }, () => input);
    const answer = JSON.parse(outcome.stdout) as { code?: number; msg?: string };
    if (outcome.exitCode !== 0) t.true(typeof answer.code === 'number' && answer.code < 100 && (answer.msg ?? '') !== '', `${verb} ${input}: ${outcome.stdout}`);
    else t.is(verb, 'VERSION');
  }));
});
