import { allocateService } from '../allocation/index.ts';
import { defineResource } from '../registry/definition.ts';
import { ageColumn, labelsText, nameColumn, rawColumn, textColumn } from './common/columns.ts';
import { setDefault } from './common/loose.ts';
import { checkService } from './common/service-validation.ts';
import { carryOver } from './common/service-update.ts';
import type { ServiceInput } from '../allocation/service-input.ts';
import { mayHaveNodePorts } from '../allocation/service-input.ts';

export const service = defineResource<ServiceInput>({
  group: '', version: 'v1', kind: 'Service', plural: 'services', singular: 'service', shortNames: ['svc'], categories: ['all'],
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Service',
  subresources: { status: true, others: [{ name: 'proxy', kind: 'ServiceProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] }] },
  columns: [
    nameColumn,
    rawColumn('Type', (object) => object.spec?.type ?? ''),
    textColumn('Cluster-IP', (object) => object.spec?.clusterIPs?.[0] ?? object.spec?.clusterIP),
    rawColumn('External-IP', externalIp),
    textColumn('Port(s)', ports),
    ageColumn,
    rawColumn('Selector', (object) => labelsText(object.spec?.selector), 1),
  ],
  selectableFields: {
    'spec.clusterIP': (object) => object.spec?.clusterIP ?? '',
    'spec.type': (object) => object.spec?.type ?? '',
  },
  nameRule: 'dns-1035-label',
  hasGeneration: false,
  defaults: defaultService,
  prepareCreate: (object) => {
    object.status = { loadBalancer: {} };
  },
  prepareUpdate: carryOver,
  validate: checkService,
  allocate: allocateService,
});

function defaultService(object: ServiceInput): void {
  const { spec } = object;
  if (spec === undefined) return;
  setDefault(spec, 'type', 'ClusterIP');
  setDefault(spec, 'sessionAffinity', 'None');
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  else setDefault(setDefault(setDefault(spec, 'sessionAffinityConfig', {}), 'clientIP', {}), 'timeoutSeconds', 10_800);
  for (const port of spec.ports ?? []) {
    setDefault(port, 'protocol', 'TCP');
    if ((port.targetPort === undefined || port.targetPort === 0 || port.targetPort === '') && port.port !== undefined) port.targetPort = port.port;
  }
  if (mayHaveNodePorts(spec)) setDefault(spec, 'externalTrafficPolicy', 'Cluster');
  if (spec.type !== 'ExternalName') setDefault(spec, 'internalTrafficPolicy', 'Cluster');
  if (spec.type === 'LoadBalancer') setDefault(spec, 'allocateLoadBalancerNodePorts', true);
}

function externalIp(object: ServiceInput): string {
  const given = object.spec?.externalIPs ?? [];
  switch (object.spec?.type) {
    case 'ExternalName':
      return object.spec.externalName ?? '';
    case 'LoadBalancer': {
      const balancers = (object.status?.loadBalancer?.ingress ?? []).map((ingress) => ingress.ip ?? ingress.hostname ?? '').filter((text) => text !== '');
      const all = [...balancers, ...given];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    default:
      return given.length > 0 ? given.join(',') : '<none>';
  }
}

function ports(object: ServiceInput): string {
  return (object.spec?.ports ?? [])
    .map(({ port = 0, nodePort = 0, protocol = '' }) => (nodePort === 0 ? `${port}/${protocol}` : `${port}:${nodePort}/${protocol}`))
    .join(',');
}
