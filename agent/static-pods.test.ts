import test from 'ava';
import { isMirror, isStatic, mirrorOf, parseManifest } from './static-pods.ts';

const manifest = 'apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: main, image: app:1}]}\n';

test('a static pod bears its node in its name, and its identity comes from its text', (t) => {
  const [pod] = parseManifest(manifest, '/etc/m/web.yaml', 'node1');
  t.is(pod?.metadata?.name, 'web-node1');
  t.is(pod?.spec?.nodeName, 'node1');
  t.true(isStatic(pod!));
  t.is(parseManifest(manifest, '/etc/m/web.yaml', 'node1')[0]?.metadata?.uid, pod?.metadata?.uid);
  t.not(parseManifest(manifest.replace('app:1', 'app:2'), '/etc/m/web.yaml', 'node1')[0]?.metadata?.uid, pod?.metadata?.uid);
});

test('its mirror has no identity of its own and points back', (t) => {
  const [pod] = parseManifest(manifest, 'f', 'node1');
  const mirror = mirrorOf(pod!);
  t.is(mirror.metadata?.uid, undefined);
  t.true(isMirror(mirror));
  t.false(isMirror(pod!));
});

test('what is no Pod is refused by file name', (t) => {
  t.throws(() => parseManifest('kind: Service', '/m/a.yaml', 'n'), { message: /\/m\/a\.yaml: kind is "Service"/u });
  t.throws(() => parseManifest('kind: Pod\nmetadata: {name: x}', '/m/b.yaml', 'n'), { message: /at least one container/u });
  t.throws(() => parseManifest('a: [', '/m/c.yaml', 'n'), { message: /\/m\/c\.yaml/u });
  t.deepEqual(parseManifest('', '/m/d.yaml', 'n'), []);
});
