import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlreadyExists, resources } from '@podwire/kube-client';
import type { KubeClient, KubeObject, Node, Pod, ResourceDescriptor, Service } from '@podwire/kube-client';
import { LabError } from '../errors.ts';
import { probeKey } from '../probe/bundle.ts';
import { APP_LABEL, EDITION, NAMESPACE, namespaceObject, podObjects, serviceObjects } from './workload-objects.ts';

const READY_TIMEOUT_MS = 60_000;
const BALANCER_TIMEOUT_MS = 3000;

export interface WorkloadOptions {
  readonly image?: string;
  /** Multiplies the deadlines; default 1. */
  readonly patience?: number;
  readonly signal?: AbortSignal;
}

/**
 * The matrix's pods and Services are there and ready; says whether anything had to be made. Pods that have ended or that belong to
 * a node that is no more are replaced.
 */
export async function ensureWorkload(client: KubeClient, options: WorkloadOptions = {}): Promise<'there already' | 'made'> {
  const nodes = (await client.list(resources.nodes)).items.filter(isReady).map(({ metadata }) => metadata?.name ?? '').sort();
  if (nodes.length === 0) throw new LabError('ENOLAB', 'no node is Ready; see: kubectl get nodes');
  const edition = probeKey();
  const { patience = 1 } = options;
  const timeoutMs = READY_TIMEOUT_MS * patience;
  await removeUnusablePods(client, nodes, edition, timeoutMs);
  let made = await ensure(client, resources.namespaces, namespaceObject());
  for (const pod of podObjects(nodes, options.image, edition)) made = (await ensure(client, resources.pods, pod)) || made;
  for (const service of serviceObjects(nodes)) made = (await ensureService(client, service)) || made;
  await waitReady(client, nodes.length * 2, timeoutMs, options.signal);
  if (made) await waitBalanced(client, BALANCER_TIMEOUT_MS * patience, options.signal);
  return made ? 'made' : 'there already';
}

function isReady({ status }: Node): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

async function ensure<T extends KubeObject>(client: KubeClient, resource: ResourceDescriptor<T>, object: T): Promise<boolean> {
  try {
    await client.create(resource, object);
    return true;
  } catch (error) {
    if (isAlreadyExists(error)) return false;
    throw error;
  }
}

/** One that an earlier edition of the matrix made is made anew. */
async function ensureService(client: KubeClient, service: Service): Promise<boolean> {
  const edition = createHash('sha256').update(JSON.stringify(service.spec)).digest('hex').slice(0, 16);
  const wanted: Service = { ...service, metadata: { ...service.metadata, annotations: { [EDITION]: edition } } };
  if (await ensure(client, resources.services, wanted)) return true;
  const name = { namespace: NAMESPACE, name: service.metadata?.name ?? '' };
  if ((await client.get(resources.services, name)).metadata?.annotations?.[EDITION] === edition) return false;
  await client.delete(resources.services, name);
  return ensure(client, resources.services, wanted);
}

/** A load balancer needs a moment; where there is none, its cells are skipped. */
async function waitBalanced(client: KubeClient, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  const isWaiting = ({ spec, status }: Service): boolean => spec?.type === 'LoadBalancer' && (status?.loadBalancer?.ingress ?? []).length === 0;
  while (performance.now() < deadline && (await client.list(resources.services, { namespace: NAMESPACE })).items.some(isWaiting)) await delay(100, undefined, signal === undefined ? {} : { signal });
}

/** Ended, on a node that is no more, or of another edition of the probe. Waits until they are gone: their names are needed. */
async function removeUnusablePods(client: KubeClient, nodes: readonly string[], edition: string, timeoutMs: number): Promise<void> {
  const unusable = async (): Promise<readonly Pod[]> => (await client.list(resources.pods, { namespace: NAMESPACE, labelSelector: APP_LABEL })).items.filter(({ metadata, spec, status }) =>
    status?.phase === 'Failed' || status?.phase === 'Succeeded' || metadata?.deletionTimestamp !== undefined || metadata?.annotations?.[EDITION] !== edition || !nodes.includes(spec?.nodeName ?? ''));
  const deadline = performance.now() + timeoutMs;
  for (let pods = await unusable(); pods.length > 0; pods = await unusable()) {
    const names = pods.map(({ metadata }) => metadata?.name ?? '');
    if (performance.now() > deadline) throw new LabError('EFAILED', `the old probe pods ${names.join(', ')} do not go away; see: kubectl -n ${NAMESPACE} get pods, and delete them with --force`);
    for (const [i, name] of names.entries()) if (pods[i]?.metadata?.deletionTimestamp === undefined) await client.deleteIfThere(resources.pods, { namespace: NAMESPACE, name });
    await delay(100);
  }
}

async function waitReady(client: KubeClient, wanted: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { items } = await client.list(resources.pods, { namespace: NAMESPACE, labelSelector: APP_LABEL });
    const ready = items.filter(({ status }) => status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True'));
    if (ready.length >= wanted) break;
    if (performance.now() > deadline) {
      const waiting = items.filter((pod) => !ready.includes(pod)).map(({ metadata }) => metadata?.name ?? '');
      throw new LabError('EFAILED', `the matrix's pods ${waiting.join(', ')} are not ready after ${timeoutMs / 1000} s; see: kubectl -n ${NAMESPACE} describe pods`);
    }
    await delay(100, undefined, signal === undefined ? {} : { signal });
  }
}

/** Deletes the namespace with all that is in it. */
export async function removeWorkload(client: KubeClient): Promise<void> {
  await client.deleteIfThere(resources.namespaces, { name: NAMESPACE });
}
