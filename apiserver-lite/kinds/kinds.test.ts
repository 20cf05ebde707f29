import test from 'ava';
import type { ApiObject } from '../registry/definition.ts';
import { fieldErrorText } from '../registry/field-error.ts';
import { typeSchema } from '../schema/table.ts';
import { pullPolicyFor } from './common/container-defaults.ts';
import { cronFault } from './common/cron.ts';
import { definitions } from './index.ts';

const definitionOf = (kind: string) => definitions.find((definition) => definition.kind === kind)!;
const nowMs = Date.parse('2026-01-01T00:00:00Z');
const template = (labels: object, spec: object = {}) => ({ metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i:1' }], ...spec } });

function object(kind: string, rest: object, metadata: object = {}): ApiObject {
  const { group, version } = definitionOf(kind);
  return { apiVersion: group === '' ? version : `${group}/${version}`, kind, metadata: { name: 'x', ...metadata }, ...rest };
}

function created(kind: string, rest: object, metadata: object = {}): ApiObject {
  const made = object(kind, structuredClone(rest), metadata);
  const definition = definitionOf(kind);
  definition.defaults?.(made);
  definition.prepareCreate?.(made);
  return made;
}

function faults(kind: string, rest: object, old?: object): string[] {
  const now = created(kind, rest);
  const before = old === undefined ? undefined : created(kind, old);
  if (before !== undefined) definitionOf(kind).prepareUpdate?.(now, structuredClone(before));
  return (definitionOf(kind).validate?.(now, { operation: before === undefined ? 'create' : 'update', nowMs, ...(before && { old: before }) }) ?? []).map(fieldErrorText);
}

test('every kind has a schema, and no two kinds share a name or a path', (t) => {
  for (const definition of definitions) t.truthy(typeSchema(definition.schema)?.fields, definition.schema);
  t.is(new Set(definitions.map((each) => `${each.group}/${each.version}/${each.plural}`)).size, definitions.length);
  const short = definitions.filter((each) => each.view === undefined).flatMap((each) => each.shortNames ?? []);
  t.is(new Set(short).size, short.length);
});

test('every kind survives an object that has nothing but a name: defaults, validation and columns', (t) => {
  for (const definition of definitions) {
    for (const rest of [{}, { spec: {} }, { spec: { template: {} } }]) {
      const made = created(definition.kind, rest);
      definition.validate?.(made, { operation: 'create', nowMs });
      for (const column of definition.columns ?? []) t.not(column.cell(made, nowMs), undefined, `${definition.kind} ${column.name}`);
      for (const field of Object.values(definition.selectableFields ?? {})) t.is(typeof field(made), 'string');
    }
  }
});

const pod = { spec: { containers: [{ name: 'c', image: 'nginx', ports: [{ containerPort: 80 }], livenessProbe: { httpGet: { port: 80 } }, resources: { limits: { cpu: '1', memory: '1Gi' } } }], volumes: [{ name: 'v' }, { name: 's', secret: { secretName: 's' } }] } };
const deployment = { spec: { selector: { matchLabels: { a: 'b' } }, template: template({ a: 'b' }) } };

test('defaults are idempotent', (t) => {
  for (const [kind, rest] of [['Pod', pod], ['Deployment', deployment], ['StatefulSet', deployment], ['DaemonSet', deployment], ['Job', { spec: { template: template({}) } }], ['Service', { spec: { ports: [{ port: 80 }], type: 'LoadBalancer', sessionAffinity: 'ClientIP' } }], ['Secret', { stringData: { a: 'b' } }], ['Namespace', {}]] as const) {
    const once = created(kind, rest);
    const twice = structuredClone(once);
    definitionOf(kind).defaults?.(twice);
    t.deepEqual(twice, once, kind);
  }
});

test('a pod gets what kube-apiserver fills in', (t) => {
  const made = created('Pod', pod);
  t.deepEqual(made['spec'], {
    containers: [{
      name: 'c', image: 'nginx', imagePullPolicy: 'Always', terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File',
      ports: [{ containerPort: 80, protocol: 'TCP' }],
      livenessProbe: { httpGet: { port: 80, path: '/', scheme: 'HTTP' }, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 },
      resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1', memory: '1Gi' } },
    }],
    volumes: [{ name: 'v', emptyDir: {} }, { name: 's', secret: { secretName: 's', defaultMode: 420 } }],
    restartPolicy: 'Always', terminationGracePeriodSeconds: 30, dnsPolicy: 'ClusterFirst', securityContext: {}, schedulerName: 'default-scheduler',
    enableServiceLinks: true, serviceAccountName: 'default', serviceAccount: 'default',
    tolerations: ['not-ready', 'unreachable'].map((why) => ({ key: `node.kubernetes.io/${why}`, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 })),
  });
  t.deepEqual(made['status'], { phase: 'Pending', qosClass: 'Guaranteed' });
});

test('the pull policy follows the tag', (t) => {
  t.deepEqual(['nginx', 'nginx:latest', 'nginx:1', 'host:5000/nginx', 'host:5000/nginx:1', 'nginx@sha256:0'].map(pullPolicyFor), ['Always', 'Always', 'IfNotPresent', 'Always', 'IfNotPresent', 'IfNotPresent']);
});

test('all faults of a pod are told at once', (t) => {
  const spec = { restartPolicy: 'Sometimes', containers: [{ name: 'c', ports: [{ containerPort: 0 }], volumeMounts: [{ name: 'no', mountPath: '/x' }] }, { name: 'c', image: 'i' }] };
  t.deepEqual(faults('Pod', { spec }), [
    'spec.containers[0].image: Required value',
    'spec.containers[0].ports[0].containerPort: Invalid value: 0: must be between 1 and 65535, inclusive',
    'spec.containers[0].volumeMounts[0].name: Not found: "no"',
    'spec.containers[1].name: Duplicate value: "c"',
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
  ]);
});

test('of a running pod only the image and a few other fields may change', (t) => {
  const base = { spec: { containers: [{ name: 'c', image: 'i:1' }] } };
  t.deepEqual(faults('Pod', { spec: { containers: [{ name: 'c', image: 'i:2' }] } }, base), []);
  t.regex(faults('Pod', { spec: { containers: [{ name: 'c', image: 'i:1', command: ['x'] }] } }, base).join(), /^spec: Forbidden: pod updates may not change fields other than/);
});

test('a Deployment must select its own pods, and its selector is for ever', (t) => {
  const other = { spec: { selector: { matchLabels: { a: 'c' } }, template: template({ a: 'c' }) } };
  t.deepEqual(faults('Deployment', { spec: { ...deployment.spec, template: template({ a: 'x' }) } }), ['spec.template.metadata.labels: Invalid value: {"a":"x"}: `selector` does not match template `labels`']);
  t.deepEqual(faults('Deployment', other, deployment), ['spec.selector: Invalid value: {"matchLabels":{"a":"c"}}: field is immutable']);
  t.deepEqual(faults('Deployment', { spec: { ...deployment.spec, strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } } }), ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0']);
  t.deepEqual(faults('Deployment', { spec: { ...deployment.spec, template: template({ a: 'b' }, { restartPolicy: 'Never' }) } }), ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"']);
});

test('Service ports: names, numbers, doubles, node ports', (t) => {
  t.deepEqual(faults('Service', { spec: {} }), ['spec.ports: Required value']);
  t.deepEqual(faults('Service', { spec: { ports: [{ port: 80 }, { port: 80 }] } }), ['spec.ports[0].name: Required value', 'spec.ports[1].name: Required value', 'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}']);
  t.deepEqual(faults('Service', { spec: { ports: [{ port: 80, nodePort: 30000 }] } }), ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]);
});

test('a Service keeps its cluster IP when an update leaves it out, and may not change it', (t) => {
  const old = { spec: { ports: [{ port: 80 }], clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'] } };
  t.deepEqual(faults('Service', { spec: { ports: [{ port: 81 }] } }, old), []);
  t.deepEqual(faults('Service', { spec: { ports: [{ port: 80 }], clusterIP: '10.96.0.6' } }, old), ['spec.clusterIPs[0]: Invalid value: "10.96.0.6": may not change once set']);
});

test('stringData of a Secret becomes data and is not stored', (t) => {
  t.like(created('Secret', { stringData: { a: 'b' } }), { type: 'Opaque', data: { a: 'Yg==' }, stringData: undefined });
});

test('immutable ConfigMaps stay as they are', (t) => {
  t.deepEqual(faults('ConfigMap', { data: { a: '2' }, immutable: true }, { data: { a: '1' }, immutable: true }), ['data: Forbidden: field is immutable when `immutable` is set']);
});

test('a view gives back what was stored through it', (t) => {
  const events = definitions.find((each) => each.group === 'events.k8s.io')!.view!;
  const event: ApiObject = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e' }, involvedObject: { kind: 'Pod', name: 'p' }, message: 'm', reason: 'r', count: 3 };
  t.like(events.fromStored(structuredClone(event)), { apiVersion: 'events.k8s.io/v1', regarding: { name: 'p' }, note: 'm', reason: 'r', deprecatedCount: 3 });
  t.deepEqual(events.toStored(events.fromStored(structuredClone(event))), event);

  const autoscalers = definitions.find((each) => each.group === 'autoscaling' && each.version === 'v1')!.view!;
  const stored = autoscalers.toStored({ apiVersion: 'autoscaling/v1', kind: 'HorizontalPodAutoscaler', metadata: { name: 'h' }, spec: { maxReplicas: 3, targetCPUUtilizationPercentage: 50 } });
  t.like(stored, { apiVersion: 'autoscaling/v2', spec: { maxReplicas: 3, metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }] } });
  const memory = { type: 'Resource', resource: { name: 'memory', target: { type: 'AverageValue', averageValue: '1Gi' } } };
  const both = { ...stored, spec: { ...(stored['spec'] as { metrics: object[] }), metrics: [...(stored['spec'] as { metrics: object[] }).metrics, memory], behavior: { scaleUp: {} } } };
  t.deepEqual(autoscalers.toStored(autoscalers.fromStored(structuredClone(both))), both);
});

test('cron schedules', (t) => {
  for (const good of ['*/5 * * * *', '0 0 1 jan sun', '0-30/2,45 1 * * 1-5', '@daily', '@every 1h30m']) t.is(cronFault(good), undefined, good);
  for (const bad of ['* * * *', '60 * * * *', '*/0 * * * *', 'a * * * *', '@never', 'TZ=UTC * * * * *', '5-1 * * * *']) t.truthy(cronFault(bad), bad);
});

test('every event column reads old and new events', (t) => {
  const { columns } = definitionOf('Event');
  const cells = (rest: object) => columns!.map((column) => column.cell(object('Event', rest), nowMs));
  const about = { involvedObject: { kind: 'Pod', name: 'p' }, type: 'Normal', reason: 'R', message: 'm ' };
  t.deepEqual(cells({ ...about, source: { component: 'c', host: 'h' }, firstTimestamp: '2025-12-31T23:58:00Z', lastTimestamp: '2025-12-31T23:59:00Z', count: 4 }), ['60s', 'Normal', 'R', 'pod/p', '', 'c, h', 'm', '2m', '4', 'x']);
  t.deepEqual(cells({ ...about, reportingComponent: 'c', eventTime: '2025-12-31T23:59:50.000000Z' }), ['10s', 'Normal', 'R', 'pod/p', '', 'c', 'm', '10s', '1', 'x']);
});
