// The fields of KubeProxyConfiguration v1alpha1 (Kubernetes 1.36), to tell a misspelt one from one that means nothing here.

interface Fields { readonly [name: string]: Fields | 'any' }

const leaves = (...names: readonly string[]): Fields => Object.fromEntries(names.map((name) => [name, 'any' as const]));

const KNOWN: Fields = {
  ...leaves(
    'apiVersion', 'kind', 'featureGates', 'logging', 'hostnameOverride', 'bindAddress', 'healthzBindAddress', 'metricsBindAddress', 'bindAddressHardFail', 'enableProfiling',
    'showHiddenMetricsForVersion', 'mode', 'detectLocalMode', 'clusterCIDR', 'nodePortAddresses', 'oomScoreAdj', 'configSyncPeriod', 'portRange', 'windowsRunAsService',
  ),
  clientConnection: leaves('kubeconfig', 'acceptContentTypes', 'contentType', 'qps', 'burst'),
  detectLocal: leaves('bridgeInterface', 'interfaceNamePrefix'),
  iptables: leaves('masqueradeBit', 'masqueradeAll', 'localhostNodePorts', 'syncPeriod', 'minSyncPeriod'),
  ipvs: leaves('syncPeriod', 'minSyncPeriod', 'scheduler', 'excludeCIDRs', 'strictARP', 'tcpTimeout', 'tcpFinTimeout', 'udpTimeout'),
  nftables: leaves('masqueradeBit', 'masqueradeAll', 'syncPeriod', 'minSyncPeriod'),
  winkernel: leaves('networkName', 'sourceVip', 'enableDSR', 'rootHnsEndpointName', 'forwardHealthCheckVip'),
  conntrack: leaves('maxPerCore', 'min', 'tcpEstablishedTimeout', 'tcpCloseWaitTimeout', 'tcpBeLiberal', 'udpTimeout', 'udpStreamTimeout'),
};

/** One line for each field that KubeProxyConfiguration does not have, with the one that may have been meant. */
export function unknownFields(document: unknown, known: Fields = KNOWN, path = ''): string[] {
  if (typeof document !== 'object' || document === null || Array.isArray(document)) return [];
  return Object.entries(document).flatMap(([name, value]) => {
    const fields = Object.hasOwn(known, name) ? known[name] : undefined;
    if (fields !== undefined) return fields === 'any' ? [] : unknownFields(value, fields, `${path}${name}.`);
    const meant = Object.keys(known).find((one) => one.toLowerCase() === name.toLowerCase());
    return [`${path}${name}: KubeProxyConfiguration has no such field; it is ignored${meant === undefined ? '' : ` (did you mean ${path}${meant}?)`}`];
  });
}
