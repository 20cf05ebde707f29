import test from 'ava';
import type { Pod } from 'kubernetes-types/core/v1.js';
import { CachedObject, storedText } from '../cache/cached-object.ts';
import { objectKey } from '../cache/keys.ts';
import { ResourceCache } from '../cache/resource-cache.ts';
import { StatusError } from '../http/status-error.ts';
import { definitions } from '../kinds/index.ts';
import type { ApiObject, GroupResource } from '../registry/definition.ts';
import type { RestContext } from '../rest/context.ts';
import { admissions } from './index.ts';
import { formatQuantity } from './quota-usage.ts';

const definitionOf = (kind: string) => definitions.find((each) => each.kind === kind && each.view === undefined)!;

/** A cluster that holds these objects; admission only reads. */
function cluster(...objects: readonly ApiObject[]): RestContext {
  const caches = new Map<string, ResourceCache>();
  const resource = (place: GroupResource): ResourceCache => {
    const name = `${place.group}/${place.resource}`;
    if (!caches.has(name)) caches.set(name, new ResourceCache(0));
    return caches.get(name)!;
  };
  for (const object of objects) {
    const { group, plural, namespaced } = definitionOf(object.kind);
    const place = { group, resource: plural };
    resource(place).load(new CachedObject(objectKey(place, namespaced ? 'default' : undefined, object.metadata.name), storedText(object), 1));
  }
  return { cache: { resource } } as unknown as RestContext;
}

const object = (kind: string, name: string, rest: object): ApiObject => {
  const { group, version } = definitionOf(kind);
  return { apiVersion: group === '' ? version : `${group}/${version}`, kind, metadata: { name, namespace: 'default' }, ...rest };
};
const pod = (resources: object = {}, spec: object = {}, name = 'p'): ApiObject => object('Pod', name, { spec: { containers: [{ name: 'c', image: 'i', resources }], ...spec }, status: { phase: 'Pending' } });

function admit(context: RestContext, wanted: ApiObject, old?: ApiObject): Pod {
  const request = { operation: old === undefined ? 'create' as const : 'update' as const, definition: definitionOf(wanted.kind), namespace: 'default', object: wanted, ...(old && { old }), user: { name: 'u', groups: [] }, dryRun: false };
  for (const each of admissions) each(context, request);
  return wanted as unknown as Pod;
}

const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'admitted';
};

test('a pod gets the priority of its class, of the default class, or none', (t) => {
  const low = object('PriorityClass', 'low', { value: 5, globalDefault: true });
  const high = object('PriorityClass', 'high', { value: 9, preemptionPolicy: 'Never' });
  t.like(admit(cluster(), pod()).spec, { priority: 0, preemptionPolicy: 'PreemptLowerPriority' });
  t.like(admit(cluster(low, high), pod()).spec, { priority: 5, priorityClassName: 'low' });
  t.like(admit(cluster(low, high), pod({}, { priorityClassName: 'high' })).spec, { priority: 9, preemptionPolicy: 'Never' });
  t.like(admit(cluster(), pod({}, { priorityClassName: 'system-node-critical' })).spec, { priority: 2_000_001_000 });
  t.is(refusal(() => admit(cluster(), pod({}, { priorityClassName: 'nope' }))), '403 pods "p" is forbidden: no PriorityClass with name nope was found');
});

test('the token of the ServiceAccount is mounted, unless somebody said no', (t) => {
  const account = object('ServiceAccount', 'default', {});
  const { spec } = admit(cluster(account), pod());
  t.is(spec!.containers[0]!.volumeMounts![0]!.mountPath, '/var/run/secrets/kubernetes.io/serviceaccount');
  t.is(spec!.volumes![0]!.projected!.sources!.length, 3);
  t.is(admit(cluster(account), pod({}, { automountServiceAccountToken: false })).spec!.volumes, undefined);
  t.is(admit(cluster({ ...account, automountServiceAccountToken: false }), pod()).spec!.volumes, undefined);
  t.is(refusal(() => admit(cluster(account), pod({}, { serviceAccountName: 'gone' }))), '403 pods "p" is forbidden: error looking up service account default/gone: serviceaccount "gone" not found');
});

const range = (limits: object[]): ApiObject => object('LimitRange', 'r', { spec: { limits } });

test('a LimitRange fills in what a container leaves out', (t) => {
  const context = cluster(range([{ type: 'Container', default: { cpu: '200m' }, defaultRequest: { cpu: '100m' } }]));
  t.deepEqual(admit(context, pod()).spec!.containers[0]!.resources, { limits: { cpu: '200m' }, requests: { cpu: '100m' } });
  t.deepEqual(admit(context, pod({ limits: { cpu: '50m' } })).spec!.containers[0]!.resources, { limits: { cpu: '50m' }, requests: { cpu: '50m' } });
});

test('a LimitRange refuses what is out of bounds, all of it at once', (t) => {
  const context = cluster(range([{ type: 'Container', min: { cpu: '100m' }, max: { cpu: '1', memory: '1Gi' } }]));
  t.is(refusal(() => admit(context, pod({ requests: { cpu: '50m', memory: '1Mi' }, limits: { cpu: '2', memory: '1Gi' } }))),
    '403 pods "p" is forbidden: [minimum cpu usage per Container is 100m, but request is 50m, maximum cpu usage per Container is 1, but limit is 2]');
});

const quota = (hard: object, rest: object = {}): ApiObject => object('ResourceQuota', 'q', { spec: { hard, ...rest } });

test('a quota counts objects and refuses one too many', (t) => {
  t.is(refusal(() => admit(cluster(quota({ pods: '1' })), pod())), 'admitted');
  t.is(refusal(() => admit(cluster(quota({ pods: '1' }), pod({}, {}, 'other')), pod())), '403 pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1');
  const done = { ...pod({}, {}, 'done'), status: { phase: 'Succeeded' } };
  t.is(refusal(() => admit(cluster(quota({ pods: '1' }), done), pod())), 'admitted');
  t.is(refusal(() => admit(cluster(quota({ 'count/deployments.apps': '0' })), object('Deployment', 'd', { spec: {} }))), '403 deployments.apps "d" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: count/deployments.apps=0, limited: count/deployments.apps=0');
});

test('a quota on cpu and memory adds up requests and insists that they are named', (t) => {
  const context = cluster(quota({ 'requests.cpu': '1', 'limits.memory': '1Gi' }), pod({ requests: { cpu: '800m' }, limits: { memory: '512Mi' } }, {}, 'other'));
  t.is(refusal(() => admit(context, pod({ requests: { cpu: '100m' }, limits: { memory: '512Mi' } }))), 'admitted');
  t.is(refusal(() => admit(context, pod({ requests: { cpu: '300m' }, limits: { memory: '1Gi' } }))), '403 pods "p" is forbidden: exceeded quota: q, requested: requests.cpu=300m,limits.memory=1Gi, used: requests.cpu=800m,limits.memory=512Mi, limited: requests.cpu=1,limits.memory=1Gi');
  t.is(refusal(() => admit(context, pod())), '403 pods "p" is forbidden: failed quota: q: must specify requests.cpu for: c; limits.memory for: c');
});

test('a quota with scopes looks only at pods in scope, and an update that grows nothing passes', (t) => {
  t.is(refusal(() => admit(cluster(quota({ pods: '0' }, { scopes: ['BestEffort'] })), pod({ requests: { cpu: '1' } }))), 'admitted');
  t.regex(refusal(() => admit(cluster(quota({ pods: '0' }, { scopes: ['BestEffort'] })), pod())), /exceeded quota/);
  t.is(refusal(() => admit(cluster(quota({ pods: '0' }), pod()), pod({}, { hostname: 'x' }), pod())), 'admitted');
});

test('used amounts are written shortly', (t) => {
  t.deepEqual([0.25, 2, 1024 ** 3, 1536 * 1024, 1000].map(formatQuantity), ['250m', '2', '1Gi', '1536Ki', '1000']);
});
