// What the scheduler decides upon: the nodes with the pods that are on them, and the resources these have asked for.
import { parseQuantity } from '@podwire/kube-client';
import type { Container, Node, Pod } from '@podwire/kube-client';

/** Amounts by resource name: `cpu` in cores, `memory` and `ephemeral-storage` in bytes, extended resources in units. */
export type Resources = ReadonlyMap<string, number>;

export interface NodeInfo {
  readonly node: Node;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly pods: readonly Pod[];
  readonly allocatable: Resources;
  readonly requested: Resources;
}

export interface Snapshot {
  readonly nodes: readonly NodeInfo[];
  /** Labels of each namespace, for affinity terms with a namespaceSelector. */
  readonly namespaceLabels: (namespace: string) => Readonly<Record<string, string>>;
}

/** A pod that asks for nothing is still counted as a small one when nodes are compared (never when they are filtered). */
export const defaultRequest: Resources = new Map([['cpu', 0.1], ['memory', 200 * 2 ** 20]]);

function containerRequests(container: Container): Map<string, number> {
  const amounts = new Map<string, number>();
  for (const [name, amount] of Object.entries({ ...container.resources?.limits, ...container.resources?.requests })) amounts.set(name, parseQuantity(amount));
  return amounts;
}

function addInto(sum: Map<string, number>, more: Resources): void {
  for (const [name, amount] of more) sum.set(name, (sum.get(name) ?? 0) + amount);
}

/**
 * What a pod needs: the larger of the sum over its containers (sidecars included) and each init container on top of the
 * sidecars started before it; plus the runtime's overhead.
 * https://kubernetes.io/docs/concepts/workloads/pods/init-containers/#resource-sharing-within-containers
 */
export function podRequests(pod: Pod): Resources {
  const running = new Map<string, number>();
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of pod.spec?.containers ?? []) addInto(running, containerRequests(container));
  for (const container of pod.spec?.initContainers ?? []) {
    const own = containerRequests(container);
    const isSidecar = container.restartPolicy === 'Always';
    if (isSidecar) addInto(sidecars, own);
    const needs = new Map(sidecars);
    if (!isSidecar) addInto(needs, own);
    for (const [name, amount] of needs) peak.set(name, Math.max(peak.get(name) ?? 0, amount));
  }
  addInto(running, sidecars);
  for (const [name, amount] of peak) running.set(name, Math.max(running.get(name) ?? 0, amount));
  for (const [name, amount] of Object.entries(pod.spec?.overhead ?? {})) running.set(name, (running.get(name) ?? 0) + parseQuantity(amount));
  return running;
}

export function nodeInfo(node: Node, pods: readonly Pod[]): NodeInfo {
  const requested = new Map<string, number>();
  for (const pod of pods) addInto(requested, podRequests(pod));
  const allocatable = new Map(Object.entries(node.status?.allocatable ?? node.status?.capacity ?? {}).map(([name, amount]) => [name, parseQuantity(amount)]));
  return { node, name: node.metadata?.name ?? '', labels: node.metadata?.labels ?? {}, pods, allocatable, requested };
}

/** Pods that still hold their node's resources: all but the finished ones. */
export const occupies = (pod: Pod): boolean => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';
