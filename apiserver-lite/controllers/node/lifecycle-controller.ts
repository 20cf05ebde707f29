// Node lifecycle: watches heartbeats, marks silent nodes, taints them, takes their pods out of service and evicts them.
import type { Lease, Node, Pod } from '@podwire/kube-client';
import { isNotFound, keyOf, kubeTime, parseKey, referenceTo, resources } from '@podwire/kube-client';
import { sameMeaning } from '../shared/canonical.ts';
import { enqueueOn, every } from '../shared/context.ts';
import type { ControllerContext } from '../shared/context.ts';
import { isPodReady } from '../shared/pods.ts';
import { desiredTaints, evictionDueMs, silentConditions } from './lifecycle.ts';

const checkEveryMs = 5000;
const leaseNamespace = 'kube-node-lease';

export function startNodeLifecycleController(context: ControllerContext): void {
  const graceMs = context.settings.nodeGraceMs ?? 50_000;
  const nodes = context.informer(resources.nodes);
  const leases = context.informer(resources.leases);
  const pods = context.informer(resources.pods);
  const events = context.recorder('node-controller');
  /** When a sign of life last arrived here, by our own clock: a node's clock may be wrong and either may jump. */
  const heard = new Map<string, { readonly sign: string; readonly atMs: number }>();

  const signOf = (node: Node, lease: Lease | undefined): string => `${lease?.spec?.renewTime ?? ''} ${node.status?.conditions?.find(({ type }) => type === 'Ready')?.lastHeartbeatTime ?? ''}`;

  function silentForMs(node: Node): number {
    const name = node.metadata?.name ?? '';
    const sign = signOf(node, leases.store.byKey(`${leaseNamespace}/${name}`));
    // Monotonic: a jump of the wall clock must not make every node look dead at once.
    const atMs = performance.now();
    const last = heard.get(name);
    if (last?.sign !== sign) {
      heard.set(name, { sign, atMs });
      return 0;
    }
    return atMs - last.atMs;
  }

  const nodeQueue = context.queue('node-lifecycle', async (key) => {
    await Promise.all([nodes, leases, pods].map(async (informer) => informer.waitForSync(context.signal)));
    const node = nodes.store.byKey(key);
    if (node === undefined) {
      heard.delete(key);
      return;
    }
    let current = node;
    const isSilent = silentForMs(node) > graceMs;
    if (isSilent) {
      const conditions = silentConditions(node, context.clock.now());
      if (conditions !== undefined) {
        current = await context.client.updateStatus(resources.nodes, { ...node, status: { ...node.status, conditions } });
        events.record(referenceTo(resources.nodes, node), 'Normal', 'NodeNotReady', `Node ${key} status is now: NodeNotReady`);
        context.log.warn({ node: key }, 'node has fallen silent');
      }
    }
    const taints = desiredTaints(current, context.clock.now());
    if (!sameMeaning(taints, current.spec?.taints ?? [])) await context.client.update(resources.nodes, { ...current, spec: { ...current.spec, taints: [...taints] } });
    if (isSilent) await markPods(current);
    for (const pod of podsOn(key)) if ((current.spec?.taints ?? []).some(({ effect }) => effect === 'NoExecute')) podQueue.add(keyOf(pod));
  });

  const podsOn = (name: string): readonly Pod[] => pods.store.list().filter(({ spec }) => spec?.nodeName === name);

  /**
   * Pods on an unreachable node are not ready: Services stop sending to them long before they are evicted. Only while it is silent:
   * once heard again it speaks for its pods itself, though its own condition may still be the old one.
   */
  async function markPods(node: Node): Promise<void> {
    if (node.status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'Unknown') return;
    for (const pod of podsOn(node.metadata?.name ?? '').filter(isPodReady)) {
      const conditions = (pod.status?.conditions ?? []).map((condition) => (condition.type === 'Ready' ? { ...condition, status: 'False', reason: 'NodeNotReady', lastTransitionTime: kubeTime(context.clock.now()) } : condition));
      try {
        await context.client.updateStatus(resources.pods, { ...pod, status: { ...pod.status, conditions } });
        events.record(referenceTo(resources.pods, pod), 'Warning', 'NodeNotReady', 'Node is not ready');
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
  }

  const podQueue = context.queue('taint-eviction', async (key) => {
    const pod = pods.store.byKey(key);
    const node = nodes.store.byKey(pod?.spec?.nodeName ?? '');
    if (pod === undefined || node === undefined || pod.metadata?.deletionTimestamp !== undefined) return;
    const nowMs = context.clock.now();
    const due = evictionDueMs(pod, node.spec?.taints ?? [], nowMs);
    if (due === undefined) return;
    if (due > nowMs) {
      podQueue.addAfter(key, due - nowMs + 50);
      return;
    }
    events.record(referenceTo(resources.pods, pod), 'Normal', 'TaintManagerEviction', `Marking for deletion Pod ${key}`);
    await context.client.deleteIfThere(resources.pods, parseKey(key), pod.metadata?.uid === undefined ? {} : { preconditions: { uid: pod.metadata.uid } });
  });

  enqueueOn(nodes, nodeQueue);
  leases.on({ update: (lease) => {
    if (lease.metadata?.namespace === leaseNamespace && (nodes.store.byKey(lease.metadata.name ?? '')?.spec?.taints?.length ?? 0) > 0) nodeQueue.add(lease.metadata.name ?? '');
  } });
  pods.on({ add: (pod, key) => { if (pod.spec?.nodeName !== undefined) podQueue.add(key); } });
  every(context, checkEveryMs, () => {
    for (const key of nodes.store.keys()) nodeQueue.add(key);
  });
}
