import test from 'ava';
import { checkOptions, UsageError } from './options.ts';

const mistakes: readonly [title: string, flags: Record<string, string>, message: RegExp][] = [
  ['a Service range that is no CIDR', { serviceClusterIpRange: '10.96.0.0' }, /--service-cluster-ip-range: "10\.96\.0\.0" is not a CIDR; write it like 10\.96\.0\.0\/16/],
  ['a pod range with host bits', { clusterCidr: '10.244.0.1/16' }, /--cluster-cidr: 10\.244\.0\.1\/16 has host bits set; did you mean 10\.244\.0\.0\/16/],
  ['two ranges of one family', { clusterCidr: '10.1.0.0/16,10.2.0.0/16' }, /two CIDRs of the same family/],
  ['three ranges', { clusterCidr: '10.1.0.0/16,fd00::/56,fd01::/56' }, /must be one CIDR, or two of different families/],
  ['a bad port', { securePort: '70000' }, /--secure-port: "70000" is not a number from 0 to 65535/],
  ['a bad port range', { serviceNodePortRange: '5-1' }, /--service-node-port-range: "5-1" is not a port range/],
  ['a bad address', { bindAddress: 'here' }, /--bind-address: "here" is not an IP address/],
  ['an unknown authorization mode', { authorizationMode: 'ABAC' }, /--authorization-mode: "ABAC" is unknown; use AlwaysAllow or RBAC/],
];
for (const [title, flags, message] of mistakes) {
  test(`${title} is refused with what to write instead`, (t) => {
    t.regex(t.throws(() => checkOptions({ dataDir: '/x', ...flags }), { instanceOf: UsageError }).message, message);
  });
}

test('without a data directory nothing starts', (t) => {
  t.regex(t.throws(() => checkOptions({}), { instanceOf: UsageError }).message, /--data-dir is required/);
});

test('what is left out has the usual values, and the server is advertised where it listens', (t) => {
  const options = checkOptions({ dataDir: '/x', bindAddress: '192.0.2.7', serviceClusterIpRange: '10.96.0.0/16,fd00:96::/112' });
  t.is(options.advertiseAddress, '192.0.2.7');
  t.is(options.securePort, 6443);
  t.deepEqual(options.serviceClusterIpRanges, ['10.96.0.0/16', 'fd00:96::/112']);
  t.deepEqual(options.serviceNodePortRange, { from: 30000, to: 32767 });
  t.true(options.controllers);
});
