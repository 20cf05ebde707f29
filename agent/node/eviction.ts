// Which pod goes first when the node runs out of memory or disk. Pure.
import { parseQuantity } from '@podwire/kube-client';
import type { Pod } from '@podwire/kube-client';
import { qosClass } from '../pods/qos.ts';

export interface Usage {
  readonly pod: Pod;
  readonly memoryBytes: number;
}

/** What the pod asked for; what it uses beyond that is what counts against it. */
export function memoryRequest(pod: Pod): number {
  return (pod.spec?.containers ?? []).reduce((sum, container) => sum + parseQuantity(container.resources?.requests?.['memory'] ?? container.resources?.limits?.['memory'] ?? '0'), 0);
}

/** Static pods and those that the system cannot do without stay. */
export function mayBeEvicted(pod: Pod): boolean {
  return pod.metadata?.annotations?.['kubernetes.io/config.source'] === undefined && (pod.spec?.priority ?? 0) < 2_000_000_000
    && pod.metadata?.deletionTimestamp === undefined && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';
}

/**
 * The order in which pods go under memory pressure: first those that use more than they asked for, among equals the lower priority,
 * then whoever exceeds his request most.
 */
export function evictionOrder(usages: readonly Usage[]): readonly Usage[] {
  const over = (usage: Usage): number => usage.memoryBytes - memoryRequest(usage.pod);
  return usages.filter((usage) => mayBeEvicted(usage.pod)).sort((a, b) =>
    Number(over(b) > 0) - Number(over(a) > 0) || (a.pod.spec?.priority ?? 0) - (b.pod.spec?.priority ?? 0) || over(b) - over(a));
}

export function evictionMessage(resource: 'memory' | 'ephemeral-storage', usage: Usage, availableBytes: number, thresholdBytes: number): string {
  const kib = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;
  const used = resource === 'memory' ? ` The pod was using ${kib(usage.memoryBytes)}, request is ${kib(memoryRequest(usage.pod))} (${qosClass(usage.pod)}).` : '';
  return `The node was low on resource: ${resource}. Threshold quantity: ${kib(thresholdBytes)}, available: ${kib(availableBytes)}.${used}`;
}
