import { isIPv6 } from 'node:net';
import { bootstrapRoles } from './rbac/bootstrap-roles.ts';
import { createObject } from './rest/create.ts';
import type { RestContext, WriteOptions } from './rest/context.ts';
import { putObject } from './rest/update.ts';
import { cacheOf, keyOf } from './rest/write.ts';
import { StatusError } from './http/status-error.ts';
import type { ApiObject } from './registry/definition.ts';

export type BootstrapOptions = Readonly<{ advertiseAddress: string; securePort: number;
  /** Also the roles and bindings that a cluster with RBAC starts with. */
  roles: boolean;
}>;

const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

/**
 * What every cluster has: namespaces, the `kubernetes` Service with this server behind it, the Service CIDRs.
 * Idempotent; runs at start and again from time to time, so that `kubectl delete services --all` does no lasting harm.
 */
export async function bootstrap(context: RestContext, { advertiseAddress, securePort, roles }: BootstrapOptions): Promise<void> {
  const options: WriteOptions = { dryRun: false, fieldValidation: 'Strict', fieldManager: 'podwire-apiserver', user: { name: 'system:apiserver', groups: ['system:masters'] }, warnings: [] };
  const ensure = async (object: ApiObject, replace: boolean): Promise<void> => {
    const definition = context.registry.findByKind(object.apiVersion, object.kind);
    if (definition === undefined) return;
    const { namespace, name } = object.metadata;
    if (!replace && cacheOf(context, definition).get(keyOf({ definition, namespace, name })) !== undefined) return;
    try {
      await createObject(context, definition, namespace, structuredClone(object), options);
    } catch (error) {
      if (!(error instanceof StatusError) || error.reason !== 'AlreadyExists') throw error;
      if (replace) await putObject(context, { definition, namespace, name }, structuredClone(object), options);
    }
  };
  for (const name of systemNamespaces) await ensure({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, false);
  if (roles) for (const object of bootstrapRoles) await ensure(object, false);
  const ranges = context.settings.serviceClusterIpRanges;
  await ensure({ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR', metadata: { name: 'kubernetes' }, spec: { cidrs: ranges } }, false);
  const labels = { component: 'apiserver', provider: 'kubernetes' };
  await ensure({
    apiVersion: 'v1', kind: 'Service', metadata: { name: 'kubernetes', namespace: 'default', labels },
    spec: { type: 'ClusterIP', clusterIP: firstAddress(ranges[0] ?? '10.96.0.0/16'), ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: securePort }], sessionAffinity: 'None' },
  }, false);
  // Loopback means something else in every pod: then the Service stays without endpoints.
  if (/^(127\.|::1$)/.test(advertiseAddress)) return;
  const ports = [{ name: 'https', port: securePort, protocol: 'TCP' }];
  await ensure({ apiVersion: 'v1', kind: 'Endpoints', metadata: { name: 'kubernetes', namespace: 'default', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } }, subsets: [{ addresses: [{ ip: advertiseAddress }], ports }] }, true);
  await ensure({
    apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: isIPv6(advertiseAddress) ? 'IPv6' : 'IPv4', endpoints: [{ addresses: [advertiseAddress], conditions: { ready: true } }], ports,
  }, true);
}

/** 10.96.0.0/16 -> 10.96.0.1, fd00:96::/112 -> fd00:96::1: the address of the `kubernetes` Service. */
export function firstAddress(cidr: string): string {
  const base = cidr.split('/')[0] ?? cidr;
  if (base.includes(':')) return base.endsWith('::') ? `${base}1` : base.replace(/:[^:]*$/, ':1');
  const parts = base.split('.');
  return [...parts.slice(0, 3), Number(parts[3] ?? '0') + 1].join('.');
}

