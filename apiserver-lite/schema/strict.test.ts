import test from 'ava';
import { fitToSchema, MistypedFieldError } from './strict.ts';

const deployment = 'io.k8s.api.apps.v1.Deployment';
const pod = (container: object): Record<string, unknown> => ({ metadata: { name: 'x' }, spec: { containers: [{ name: 'c', ...container }] } });

test('unknown fields are removed and named with their whole path', (t) => {
  const object = { spec: { replcas: 2, template: { spec: { containers: [{ name: 'a' }, { name: 'b', imagee: 'x' }] } } } };
  t.deepEqual(fitToSchema(deployment, object), ['spec.replcas', 'spec.template.spec.containers[1].imagee']);
  t.deepEqual(object, { spec: { template: { spec: { containers: [{ name: 'a' }, { name: 'b' }] } } } } as never);
});

test('what fits is left as it is', (t) => {
  const object = pod({ image: 'x', ports: [{ containerPort: 80 }], resources: { requests: { cpu: '1' } }, livenessProbe: { httpGet: { port: 'http' } } });
  const before = structuredClone(object);
  t.deepEqual(fitToSchema('io.k8s.api.core.v1.Pod', object), []);
  t.deepEqual(object, before);
});

test('nulls are removed and numbers given for quantities become text', (t) => {
  const object: Record<string, unknown> = { metadata: { name: 'x', creationTimestamp: null }, ...pod({ resources: { requests: { cpu: 2 } }, command: null }) };
  fitToSchema('io.k8s.api.core.v1.Pod', object);
  t.deepEqual(object['spec'], { containers: [{ name: 'c', resources: { requests: { cpu: '2' } } }] });
});

const mistakes: readonly [schema: string, object: Record<string, unknown>, message: string][] = [
  [deployment, { spec: { replicas: 'two' } }, 'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32'],
  [deployment, { spec: { replicas: 1.5 } }, 'json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32'],
  [deployment, { spec: { paused: 'yes' } }, 'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool'],
  [deployment, { metadata: { labels: { a: 1 } } }, 'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels.a of type string'],
  [deployment, { spec: [] }, 'json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec'],
  ['io.k8s.api.core.v1.Pod', { spec: { containers: {} } }, 'json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container'],
];
for (const [schema, object, message] of mistakes) {
  test(`a wrong type is told: ${message}`, (t) => {
    t.throws(() => fitToSchema(schema, object), { instanceOf: MistypedFieldError, message });
  });
}
