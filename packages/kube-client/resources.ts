// Where each kind lives in the API. A descriptor carries its object type, so that `client.list(resources.pods)` gives Pods.
import type {
  ConfigMap, CoreEvent, DaemonSet, Deployment, Endpoints, EndpointSlice, IPAddress, Job, KubeObject, Lease, Namespace, NetworkPolicy, Node, ObjectName, Pod, ReplicaSet,
  Secret, Service, ServiceAccount, ServiceCIDR, StatefulSet,
} from './types.ts';

export interface ResourceDescriptor<T extends KubeObject = KubeObject> {
  /** '' is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Fields that the type promises as lists and that a Go server writes as null when they are empty. The client puts `[]` there. */
  readonly lists?: readonly string[];
  /** Only for the type checker; never present. */
  readonly '~object'?: T;
}

function describe<T extends KubeObject>(group: string, version: string, plural: string, kind: string, namespaced: boolean, lists?: readonly (string & keyof T)[]): ResourceDescriptor<T> {
  return { group, version, plural, kind, namespaced, ...(lists === undefined ? {} : { lists }) };
}

export const resources = {
  namespaces: describe<Namespace>('', 'v1', 'namespaces', 'Namespace', false),
  nodes: describe<Node>('', 'v1', 'nodes', 'Node', false),
  pods: describe<Pod>('', 'v1', 'pods', 'Pod', true),
  services: describe<Service>('', 'v1', 'services', 'Service', true),
  endpoints: describe<Endpoints>('', 'v1', 'endpoints', 'Endpoints', true),
  configMaps: describe<ConfigMap>('', 'v1', 'configmaps', 'ConfigMap', true),
  secrets: describe<Secret>('', 'v1', 'secrets', 'Secret', true),
  serviceAccounts: describe<ServiceAccount>('', 'v1', 'serviceaccounts', 'ServiceAccount', true),
  events: describe<CoreEvent>('', 'v1', 'events', 'Event', true),
  endpointSlices: describe<EndpointSlice>('discovery.k8s.io', 'v1', 'endpointslices', 'EndpointSlice', true, ['endpoints', 'ports']),
  deployments: describe<Deployment>('apps', 'v1', 'deployments', 'Deployment', true),
  replicaSets: describe<ReplicaSet>('apps', 'v1', 'replicasets', 'ReplicaSet', true),
  daemonSets: describe<DaemonSet>('apps', 'v1', 'daemonsets', 'DaemonSet', true),
  statefulSets: describe<StatefulSet>('apps', 'v1', 'statefulsets', 'StatefulSet', true),
  jobs: describe<Job>('batch', 'v1', 'jobs', 'Job', true),
  leases: describe<Lease>('coordination.k8s.io', 'v1', 'leases', 'Lease', true),
  serviceCIDRs: describe<ServiceCIDR>('networking.k8s.io', 'v1', 'servicecidrs', 'ServiceCIDR', false),
  ipAddresses: describe<IPAddress>('networking.k8s.io', 'v1', 'ipaddresses', 'IPAddress', false),
  networkPolicies: describe<NetworkPolicy>('networking.k8s.io', 'v1', 'networkpolicies', 'NetworkPolicy', true),
} as const;

/** `v1` or `apps/v1`: the value of an object's `apiVersion`. */
export function apiVersionOf(resource: ResourceDescriptor): string {
  return resource.group === '' ? resource.version : `${resource.group}/${resource.version}`;
}

/** The path of a collection: of one namespace, or (no namespace) of all. */
export function collectionPath(resource: ResourceDescriptor, namespace?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace !== undefined && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${resource.plural}`;
}

/** The path of one object, or of one of its subresources. A namespaced kind without a namespace means `default`, as in kubectl. */
export function objectPath(resource: ResourceDescriptor, name: ObjectName, subresource?: string): string {
  const namespace = resource.namespaced ? (name.namespace ?? 'default') : undefined;
  const path = `${collectionPath(resource, namespace)}/${encodeURIComponent(name.name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/** An object as it came from a server, with the lists that its type promises. Changes it in place. */
export function withLists<T>(resource: ResourceDescriptor, object: T): T {
  for (const name of resource.lists ?? []) {
    const fields = object as Record<string, unknown>;
    if (fields[name] === null) fields[name] = [];
  }
  return object;
}
