// What follows from a node's heartbeat, pure: its conditions, its taints, and which of its pods must go when.
// https://kubernetes.io/docs/concepts/architecture/nodes/#node-controller
import type { Node, Pod, Taint } from '@podwire/kube-client';
import { kubeTime } from '@podwire/kube-client';
import { tolerates } from '../../scheduler/plugins/taints.ts';

type Conditions = NonNullable<NonNullable<Node['status']>['conditions']>;

const readyStatus = (conditions: Conditions | undefined): string => conditions?.find(({ type }) => type === 'Ready')?.status ?? 'Unknown';

/** Conditions that turn Unknown when nothing is heard from the node. */
const reported = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** The conditions of a node that has fallen silent; `undefined` when they say so already. */
export function silentConditions(node: Node, nowMs: number): Conditions | undefined {
  const conditions = node.status?.conditions ?? [];
  const stale = reported.filter((type) => conditions.find((one) => one.type === type)?.status !== 'Unknown');
  if (stale.length === 0) return undefined;
  const now = kubeTime(nowMs);
  const unknown = stale.map((type) => ({
    type, status: 'Unknown', reason: 'NodeStatusUnknown', message: 'Kubelet stopped posting node status.', lastTransitionTime: now,
    lastHeartbeatTime: conditions.find((one) => one.type === type)?.lastHeartbeatTime ?? node.metadata?.creationTimestamp ?? now,
  }));
  return [...conditions.filter(({ type }) => !stale.includes(type)), ...unknown];
}

const owned: readonly (readonly [string, string])[] = [
  ['node.kubernetes.io/not-ready', 'NoSchedule'], ['node.kubernetes.io/not-ready', 'NoExecute'],
  ['node.kubernetes.io/unreachable', 'NoSchedule'], ['node.kubernetes.io/unreachable', 'NoExecute'],
  ['node.kubernetes.io/unschedulable', 'NoSchedule'], ['node.kubernetes.io/network-unavailable', 'NoSchedule'],
  ['node.kubernetes.io/memory-pressure', 'NoSchedule'], ['node.kubernetes.io/disk-pressure', 'NoSchedule'], ['node.kubernetes.io/pid-pressure', 'NoSchedule'],
];

const isOwned = ({ key, effect }: Taint): boolean => owned.some(([name, kind]) => name === key && kind === effect);

/** The taints that follow from the node's conditions, beside those that others set. Times of taints already there are kept. */
export function desiredTaints(node: Node, nowMs: number): readonly Taint[] {
  const has = (type: string, status: string): boolean => node.status?.conditions?.some((one) => one.type === type && one.status === status) === true;
  const keys: [string, string][] = [];
  const ready = readyStatus(node.status?.conditions);
  if (ready !== 'True') {
    const key = ready === 'False' ? 'node.kubernetes.io/not-ready' : 'node.kubernetes.io/unreachable';
    keys.push([key, 'NoSchedule'], [key, 'NoExecute']);
  }
  if (node.spec?.unschedulable === true) keys.push(['node.kubernetes.io/unschedulable', 'NoSchedule']);
  if (has('NetworkUnavailable', 'True')) keys.push(['node.kubernetes.io/network-unavailable', 'NoSchedule']);
  if (has('MemoryPressure', 'True')) keys.push(['node.kubernetes.io/memory-pressure', 'NoSchedule']);
  if (has('DiskPressure', 'True')) keys.push(['node.kubernetes.io/disk-pressure', 'NoSchedule']);
  if (has('PIDPressure', 'True')) keys.push(['node.kubernetes.io/pid-pressure', 'NoSchedule']);
  const present = node.spec?.taints ?? [];
  const wanted = keys.map(([key, effect]) => present.find((taint) => taint.key === key && taint.effect === effect) ?? { key, effect, ...(effect === 'NoExecute' ? { timeAdded: kubeTime(nowMs) } : {}) });
  return [...present.filter((taint) => !isOwned(taint)), ...wanted];
}

/**
 * When a pod must leave because of the node's NoExecute taints, in ms since the epoch: 0 for at once, `undefined` for never.
 * The shortest tolerationSeconds of the tolerations that cover a taint counts, from the moment the taint was set.
 */
export function evictionDueMs(pod: Pod, taints: readonly Taint[], nowMs: number): number | undefined {
  let due: number | undefined;
  for (const taint of taints.filter(({ effect }) => effect === 'NoExecute')) {
    const covering = (pod.spec?.tolerations ?? []).filter((toleration) => tolerates(toleration, taint));
    if (covering.length === 0) return 0;
    const limits = covering.map(({ tolerationSeconds }) => tolerationSeconds).filter((seconds) => seconds !== undefined);
    if (limits.length === 0) continue;
    const since = taint.timeAdded === undefined ? nowMs : Date.parse(taint.timeAdded);
    const end = since + Math.max(0, Math.min(...limits)) * 1000;
    due = due === undefined ? end : Math.min(due, end);
  }
  return due;
}
