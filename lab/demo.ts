// The demo of `npm start`: lab/examples/demo.yaml, nginx on every node behind a Service.
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseAllDocuments } from 'yaml';
import { canonicalJson, isNotFound, resources } from '@podwire/kube-client';
import type { KubeClient, KubeObject, ResourceDescriptor } from '@podwire/kube-client';
import { LabError } from './errors.ts';

const demoFile = fileURLToPath(new URL('examples/demo.yaml', import.meta.url));
const readyTimeoutMs = 90_000;

/** With the manifest as an annotation, so that a later `kubectl apply -f lab/examples` knows what it was made from. */
function withSavedConfig(manifest: KubeObject): KubeObject {
  const metadata = { annotations: {}, ...manifest.metadata, namespace: 'default' };
  const annotations = { ...metadata.annotations, 'kubectl.kubernetes.io/last-applied-configuration': `${canonicalJson({ ...manifest, metadata })}\n` };
  return { ...manifest, metadata: { ...metadata, annotations } };
}

/** kubectl create --save-config -f demo.yaml, for what is not there yet. Says whether anything was. */
export async function applyDemo(client: KubeClient): Promise<boolean> {
  let made = false;
  for (const document of parseAllDocuments(readFileSync(demoFile, 'utf8'))) {
    const object = document.toJS() as KubeObject;
    const resource: ResourceDescriptor = object.kind === 'Deployment' ? resources.deployments : resources.services;
    const name = { namespace: 'default', name: object.metadata?.name ?? '' };
    try {
      await client.get(resource, name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.create(resource, withSavedConfig(object));
      made = true;
    }
  }
  return made;
}

/** Waits until all its pods are available. */
export async function waitDemo(client: KubeClient): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  for (;;) {
    const { spec, status } = await client.get(resources.deployments, { namespace: 'default', name: 'web' });
    if ((status?.availableReplicas ?? 0) >= (spec?.replicas ?? 1)) return;
    if (performance.now() > deadline) throw new LabError('EFAILED', "the demo's pods are not ready in time; see: kubectl describe pods");
    await delay(100);
  }
}
