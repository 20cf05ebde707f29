import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { decodeBody, DecodeError, PROTOBUF_TYPE } from './index.ts';

/** Bodies recorded from kubectl 1.32: `kubectl create deployment web --image=nginx:1 --replicas=3 --port=80` and the like. */
const recorded = JSON.parse(readFileSync(join(import.meta.dirname, 'testdata', 'kubectl-1.32.json'), 'utf8')) as Record<string, { contentType: string; body: string }>;
const decode = (name: string): unknown => {
  const { contentType, body } = recorded[name]!;
  return decodeBody({ contentType, body: Buffer.from(body, 'base64') }).object;
};

test('create deployment: pointers keep their zero, plain zero values are gone', (t) => {
  t.deepEqual(decode('deployment'), {
    kind: 'Deployment', apiVersion: 'apps/v1', metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      replicas: 3, selector: { matchLabels: { app: 'web' } }, strategy: {},
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'nginx', image: 'nginx:1', ports: [{ containerPort: 80 }], resources: {} }] } },
    },
    status: {},
  });
});

test('create service: IntOrString is a number or a text', (t) => {
  t.like(decode('service'), { spec: { ports: [{ name: '80-8080', protocol: 'TCP', port: 80, targetPort: 8080, nodePort: 30080 }], selector: { app: 'np' }, type: 'NodePort' } });
  t.like(decode('pdb'), { spec: { minAvailable: '50%' } });
});

test('create secret, configmap, quota: bytes become base64, maps and quantities their text', (t) => {
  t.like(decode('secret'), { kind: 'Secret', data: { p: 'cQ==' } });
  t.like(decode('configmap'), { kind: 'ConfigMap', data: { a: 'b' } });
  t.like(decode('quota'), { kind: 'ResourceQuota', spec: { hard: { cpu: '1', pods: '2' } } });
});

test('every recorded body is read; those in protobuf have a kind', (t) => {
  for (const [name, { contentType }] of Object.entries(recorded)) {
    const object = decode(name) as { kind?: unknown };
    if (contentType === PROTOBUF_TYPE) t.is(typeof object.kind, 'string', name);
  }
});

test('a subject access review and a token request are read', (t) => {
  t.like(decode('cani'), { kind: 'SelfSubjectAccessReview', spec: { resourceAttributes: { namespace: 'default', verb: 'get', resource: 'pods' } } });
  t.like(decode('token'), { kind: 'TokenRequest', spec: { expirationSeconds: 600 } });
});

test('broken protobuf is a DecodeError, never another error and never endless', (t) => {
  const good = Buffer.from(recorded['deployment']!.body, 'base64');
  const broken = fc.tuple(fc.nat(good.length - 1), fc.nat(255)).map(([at, byte]) => {
    const copy = Buffer.from(good);
    copy[at] = byte;
    return copy;
  });
  fc.assert(fc.property(fc.oneof(broken, fc.uint8Array().map((bytes) => Buffer.concat([good.subarray(0, 4), bytes]))), (body) => {
    try {
      decodeBody({ contentType: PROTOBUF_TYPE, body });
    } catch (error) {
      t.true(error instanceof DecodeError, String(error));
    }
  }), { numRuns: 500 });
  t.pass();
});

test('JSON keys that stand twice are reported with their path', (t) => {
  const body = Buffer.from('{"a": 1, "spec": {"ports": [{"x": "a:{\\"", "x": 2}], "y": {}}, "a": {"a": 1}}');
  t.deepEqual(decodeBody({ contentType: 'application/json', body }).duplicates, ['spec.ports[0].x', 'a']);
});

test('any JSON without duplicates is read as JSON.parse reads it', (t) => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    const text = JSON.stringify({ value }, null, 1);
    const again: unknown = JSON.parse(text);
    t.deepEqual(decodeBody({ contentType: '', body: Buffer.from(text) }), { object: again, duplicates: [] });
  }));
});

test('YAML is read by the 1.1 rules, with duplicates', (t) => {
  const body = Buffer.from('a: yes\nb: 0o17\nc: 2020-01-01T00:00:00Z\nd:\n  e: 1\n  e: 2\n');
  const { object, duplicates } = decodeBody({ contentType: 'application/yaml', body });
  t.like(object, { a: true, c: '2020-01-01T00:00:00Z', d: { e: 2 } });
  t.deepEqual(duplicates, ['d.e']);
});

test('other media types are refused with 415, malformed bodies with 400', (t) => {
  const status = (contentType: string, text: string): number => t.throws(() => decodeBody({ contentType, body: Buffer.from(text) }), { instanceOf: DecodeError }).status;
  t.is(status('application/xml', '<a/>'), 415);
  t.is(status('application/json', '{'), 400);
  t.is(status('application/json', ''), 400);
  t.is(status('application/yaml', 'a: [1'), 400);
  t.is(status(PROTOBUF_TYPE, '{}'), 400);
});
