// What kubectl prints for every kind, what it says when something is wrong, and who owns what: against a server without controllers.
import test from 'ava';
import { findKubectl, ServerUnderTest } from './apiserver.ts';

let cluster: ServerUnderTest;
test.before(async () => {
  cluster = await ServerUnderTest.start();
  if (findKubectl() !== undefined) await cluster.kubectl(['create', '-f', '-'], everyKind);
});
test.after.always(() => cluster.stop());
const run = findKubectl() === undefined ? test.skip : test;

const template = 'template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: "i:1"}]}}';
const selected = `selector: {matchLabels: {a: b}}, ${template}`;
const jobSpec = 'template: {spec: {restartPolicy: Never, containers: [{name: c, image: "i:1"}]}}';
// A text that begins with { is taken for JSON: the first line says that it is YAML.
const everyKind = `---
{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {containers: [{name: c, image: "i:1"}]}}
---
{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, selector: {a: b}, ports: [{port: 80, nodePort: 30123}]}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {k: v}}
---
{apiVersion: v1, kind: Secret, metadata: {name: x}, stringData: {k: v}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}}
---
{apiVersion: v1, kind: ReplicationController, metadata: {name: x}, spec: {replicas: 2, ${template}}}
---
{apiVersion: v1, kind: ResourceQuota, metadata: {name: x}, spec: {hard: {"count/leases.coordination.k8s.io": "1"}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce, ReadOnlyMany], hostPath: {path: /x}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {replicas: 2, ${selected}}}
---
{apiVersion: apps/v1, kind: ReplicaSet, metadata: {name: x}, spec: {replicas: 3, ${selected}}}
---
{apiVersion: apps/v1, kind: DaemonSet, metadata: {name: x}, spec: {${selected}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {serviceName: x, ${selected}}}
---
{apiVersion: batch/v1, kind: Job, metadata: {name: x}, spec: {${jobSpec}}}
---
{apiVersion: batch/v1, kind: CronJob, metadata: {name: x}, spec: {schedule: "*/5 * * * *", jobTemplate: {spec: {${jobSpec}}}}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: x}, spec: {maxReplicas: 3, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: x}}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: x}, spec: {minAvailable: 50%, selector: {matchLabels: {a: b}}}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: x}, spec: {podSelector: {matchLabels: {a: b}}}}
---
{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: x}, spec: {defaultBackend: {service: {name: x, port: {number: 80}}}}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {name: x}, roleRef: {kind: Role, name: r}, subjects: [{kind: User, name: me}]}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: x}, value: 7}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: x}, provisioner: p}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x}, addressType: IPv4, ports: [{port: 80}], endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}, {addresses: [10.0.0.3]}, {addresses: [10.0.0.4]}]}
`;

/** Header and row of each kind, as kubectl prints them; AGE and generated values by pattern. */
const tables: readonly (readonly [kind: string, header: string, row: string])[] = [
  ['pod', 'READY STATUS RESTARTS AGE IP NODE NOMINATED NODE READINESS GATES', '0/1 Pending 0 AGE <none> <none> <none> <none>'],
  ['service', 'TYPE CLUSTER-IP EXTERNAL-IP PORT(S) AGE SELECTOR', 'NodePort IP <none> 80:30123/TCP AGE a=b'],
  ['configmap', 'DATA AGE', '1 AGE'],
  ['secret', 'TYPE DATA AGE', 'Opaque 1 AGE'],
  ['serviceaccount', 'SECRETS AGE', '0 AGE'],
  ['replicationcontroller', 'DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR', '2 0 0 AGE c i:1 a=b'],
  ['resourcequota', 'REQUEST LIMIT AGE', 'count/leases.coordination.k8s.io: 0/1 AGE'],
  ['persistentvolumeclaim', 'STATUS VOLUME CAPACITY ACCESS MODES STORAGECLASS VOLUMEATTRIBUTESCLASS AGE VOLUMEMODE', 'Pending <unset> AGE Filesystem'],
  ['persistentvolume', 'CAPACITY ACCESS MODES RECLAIM POLICY STATUS CLAIM STORAGECLASS VOLUMEATTRIBUTESCLASS REASON AGE VOLUMEMODE', '1Gi RWO,ROX Retain Pending <unset> AGE Filesystem'],
  ['deployment', 'READY UP-TO-DATE AVAILABLE AGE CONTAINERS IMAGES SELECTOR', '0/2 0 0 AGE c i:1 a=b'],
  ['replicaset', 'DESIRED CURRENT READY AGE CONTAINERS IMAGES SELECTOR', '3 0 0 AGE c i:1 a=b'],
  ['daemonset', 'DESIRED CURRENT READY UP-TO-DATE AVAILABLE NODE SELECTOR AGE CONTAINERS IMAGES SELECTOR', '0 0 0 0 0 <none> AGE c i:1 a=b'],
  ['statefulset', 'READY AGE CONTAINERS IMAGES', '0/1 AGE c i:1'],
  ['job', 'STATUS COMPLETIONS DURATION AGE CONTAINERS IMAGES SELECTOR', 'Running 0/1 AGE c i:1 batch.kubernetes.io/controller-uid=UID'],
  ['cronjob', 'SCHEDULE TIMEZONE SUSPEND ACTIVE LAST SCHEDULE AGE CONTAINERS IMAGES SELECTOR', '*/5 * * * * <none> False 0 <none> AGE c i:1 <none>'],
  ['horizontalpodautoscaler', 'REFERENCE TARGETS MINPODS MAXPODS REPLICAS AGE', 'Deployment/x cpu: <unknown>/80% 1 3 0 AGE'],
  ['poddisruptionbudget', 'MIN AVAILABLE MAX UNAVAILABLE ALLOWED DISRUPTIONS AGE', '50% N/A 0 AGE'],
  ['networkpolicy', 'POD-SELECTOR AGE', 'a=b AGE'],
  ['ingress', 'CLASS HOSTS ADDRESS PORTS AGE', '<none> * 80 AGE'],
  ['rolebinding', 'ROLE AGE USERS GROUPS SERVICEACCOUNTS', 'Role/r AGE me'],
  ['priorityclass', 'VALUE GLOBAL-DEFAULT AGE PREEMPTIONPOLICY', '7 false AGE PreemptLowerPriority'],
  ['storageclass', 'PROVISIONER RECLAIMPOLICY VOLUMEBINDINGMODE ALLOWVOLUMEEXPANSION AGE', 'p Delete Immediate false AGE'],
  ['endpointslice', 'ADDRESSTYPE PORTS ENDPOINTS AGE', 'IPv4 80 10.0.0.1,10.0.0.2,10.0.0.3 + 1 more... AGE'],
];

run('kubectl get -o wide prints each kind with the columns of the real API server', async (t) => {
  const output = await cluster.kubectl(['get', tables.map(([kind]) => kind).join(','), '-o', 'wide']);
  const blocks = output.trim().split('\n\n').map((block) => block.split('\n'));
  for (const [kind, header, row] of tables) {
    const lines = blocks.find((block) => block.some((line) => new RegExp(`^${kind}s?(\\.[\\w.]+)?/x `).test(line)) && block[0]!.startsWith('NAME'));
    t.truthy(lines, kind);
    t.is(words(lines![0]!), `NAME ${header}`, kind);
    const mine = lines!.find((line) => /^\S+\/x /.test(line))!;
    t.is(words(mine).replace(/^\S+ /, '').replace(/\b\d+m?\d*s\b/, 'AGE').replace(/10\.96\.\d+\.\d+/, 'IP').replace(/uid=[-0-9a-f]{36}/, 'uid=UID'), row, kind);
  }
});

const words = (line: string): string => line.trim().replace(/\s+/g, ' ');

run('server-side apply owns fields, reports conflicts by name, and takes over when told', async (t) => {
  const manifest = (image: string): string => `---\n{apiVersion: apps/v1, kind: Deployment, metadata: {name: owned}, spec: {selector: {matchLabels: {a: o}}, template: {metadata: {labels: {a: o}}, spec: {containers: [{name: c, image: "${image}"}]}}}}`;
  const apply = (manager: string, image: string, ...rest: string[]) => cluster.tryKubectl(['apply', '--server-side', '--field-manager', manager, ...rest, '-f', '-'], manifest(image));
  t.is((await apply('one', 'i:1')).code, 0);
  t.is((await apply('two', 'i:1')).code, 0);
  const refused = await apply('two', 'i:2');
  t.is(refused.code, 1);
  t.regex(refused.stderr, /conflict with "one" using apps\/v1: \.spec\.template\.spec\.containers\[name="c"\]\.image/);
  t.is((await apply('two', 'i:2', '--force-conflicts')).code, 0);
  t.is(await cluster.kubectl(['get', 'deployment', 'owned', '-o', 'jsonpath={.spec.template.spec.containers[0].image}']), 'i:2');
});

run('wrong input is told completely, in the words of the real API server', async (t) => {
  const { code, stderr } = await cluster.tryKubectl(['create', '-f', '-'], '---\n{apiVersion: v1, kind: Service, metadata: {name: Bad_Name}, spec: {ports: [{port: 0}, {name: b, port: 80, nodePort: 30123}]}}');
  t.is(code, 1);
  for (const part of ['metadata.name: Invalid value: "Bad_Name": a DNS-1035 label must consist', 'spec.ports[0].name: Required value', 'spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive', "spec.ports[1].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"]) {
    t.true(stderr.includes(part), `${part}\n${stderr}`);
  }
  const taken = await cluster.tryKubectl(['create', '-f', '-'], '---\n{apiVersion: v1, kind: Service, metadata: {name: second}, spec: {type: NodePort, ports: [{port: 80, nodePort: 30123}]}}');
  t.regex(taken.stderr, /spec\.ports\[0\]\.nodePort: Invalid value: 30123: provided port is already allocated/);
});

run('a quota is kept, and autoscale writes through the old version', async (t) => {
  const lease = (name: string): string => `---\n{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {name: ${name}}}`;
  await cluster.kubectl(['create', '-f', '-'], lease('first'));
  t.regex((await cluster.tryKubectl(['create', '-f', '-'], lease('second'))).stderr, /exceeded quota: x, requested: count\/leases\.coordination\.k8s\.io=1, used: count\/leases\.coordination\.k8s\.io=1, limited: count\/leases\.coordination\.k8s\.io=1/);
  await cluster.kubectl(['autoscale', 'replicaset', 'x', '--name=old', '--max=4', '--cpu-percent=60']);
  t.is(await cluster.kubectl(['get', 'horizontalpodautoscalers.v2.autoscaling', 'old', '-o', 'jsonpath={.spec.maxReplicas} {.spec.metrics[0].resource.target.averageUtilization}']), '4 60');
});
