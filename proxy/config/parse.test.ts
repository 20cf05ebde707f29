import test from 'ava';
import { parseConfigFile, parseDuration, parseFlags } from './parse.ts';
import { DEFAULT_CONFIG } from './types.ts';

test('no flag gives kube-proxy\'s defaults', (t) => { t.deepEqual(parseFlags({}), DEFAULT_CONFIG); });

test('flags are read with kube-proxy\'s names', (t) => {
  t.like(parseFlags({ 'cluster-cidr': '10.244.0.0/16,fd44::/16', 'detect-local-mode': 'BridgeInterface', 'pod-bridge-interface': 'br0', 'masquerade-all': true, 'nodeport-addresses': '10.0.0.0/8', 'healthz-bind-address': '0.0.0.0', 'sync-period': '1m30s', 'conntrack-min': '1000' }), {
    clusterCIDRs: ['10.244.0.0/16', 'fd44::/16'], detectLocalMode: 'BridgeInterface', bridgeInterface: 'br0', masqueradeAll: true, nodePortAddresses: ['10.0.0.0/8'], healthzBindAddress: '0.0.0.0:10256', syncPeriodMs: 90_000,
  });
});

const wrong: readonly (readonly [Record<string, string>, RegExp])[] = [
  [{ 'cluster-cidr': '10.244.0.0' }, /--cluster-cidr: "10\.244\.0\.0" is not a CIDR/],
  [{ 'proxy-mode': 'ipvs' }, /--proxy-mode: "ipvs" is not what Podwire does/],
  [{ 'detect-local-mode': 'Guess' }, /--detect-local-mode/],
  [{ 'detect-local-mode': 'BridgeInterface' }, /needs pod-bridge-interface/],
  [{ 'sync-period': 'soon' }, /--sync-period: "soon" is not a duration/],
  [{ 'masquerade-bit': '40' }, /--masquerade-bit/],
  [{ 'nodeport-addresses': 'eth0' }, /neither a CIDR nor "primary"/],
];
for (const [flags, message] of wrong) test(`${JSON.stringify(flags)} is refused by name`, (t) => { t.throws(() => parseFlags(flags), { message }); });

test('a KubeProxyConfiguration is read, its unknown fields are ignored', (t) => {
  const { config, kubeconfig, hostname } = parseConfigFile(`
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
clusterCIDR: 10.244.0.0/16
hostnameOverride: n1
clientConnection: { kubeconfig: /etc/kubeconfig, qps: 5 }
nftables: { masqueradeAll: true, masqueradeBit: 12, minSyncPeriod: 1s }
conntrack: { maxPerCore: 100, tcpEstablishedTimeout: 24h0m0s }
iptables: { masqueradeAll: false }
`);
  t.like(config, { clusterCIDRs: ['10.244.0.0/16'], masqueradeAll: true, masqueradeBit: 12, minSyncPeriodMs: 1000 });
  t.is(config.conntrack.tcpEstablishedTimeoutSeconds, 86_400);
  t.deepEqual([kubeconfig, hostname], ['/etc/kubeconfig', 'n1']);
});

test('a config file of another kind or with a wrong field is refused by field', (t) => {
  t.throws(() => parseConfigFile('kind: Pod'), { message: /apiVersion/ });
  t.throws(() => parseConfigFile('apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nclusterCIDR: x'), { message: /clusterCIDR: "x" is not a CIDR/ });
  t.throws(() => parseConfigFile('apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs'), { message: /mode: "ipvs"/ });
});

test('Go durations', (t) => {
  t.deepEqual(['1m30s', '250ms', '0', '1.5h', 'x', '5'].map(parseDuration), [90_000, 250, 0, 5_400_000, undefined, undefined]);
});

test('a field that KubeProxyConfiguration does not have is said and ignored; one that means nothing here is not', (t) => {
  const { config, warnings } = parseConfigFile(`
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
clusterCidr: 10.9.0.0/16
ipvs: { scheduler: rr, strictArp: true }
nftables: { masqueradeAll: true, period: 3s }
featureGates: { Anything: true }
bindAddress: 0.0.0.0
`, 'proxy.yaml');
  t.deepEqual(warnings, [
    'proxy.yaml: clusterCidr: KubeProxyConfiguration has no such field; it is ignored (did you mean clusterCIDR?)',
    'proxy.yaml: ipvs.strictArp: KubeProxyConfiguration has no such field; it is ignored (did you mean ipvs.strictARP?)',
    'proxy.yaml: nftables.period: KubeProxyConfiguration has no such field; it is ignored',
  ]);
  t.true(config.masqueradeAll);
  t.deepEqual(config.clusterCIDRs, []);
});
