// Quality of service class, and what it and the resources mean for cgroups. Pure.
import { milliValue, parseQuantity } from '@podwire/kube-client';
import type { Container, Pod } from '@podwire/kube-client';
import type { Resources } from '../runtime/runtime.ts';

type Amounts = Readonly<Record<string, string>>;

export function qosClass(pod: Pod): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const all = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])];
  const limits = (container: Container): Amounts => container.resources?.limits ?? {};
  const requests = (container: Container): Amounts => container.resources?.requests ?? {};
  const names = ['cpu', 'memory'];
  if (all.every((one) => names.every((name) => limits(one)[name] === undefined && requests(one)[name] === undefined))) return 'BestEffort';
  const guaranteed = all.every((one) => names.every((name) => {
    const limit = limits(one)[name];
    return limit !== undefined && parseQuantity(requests(one)[name] ?? limit) === parseQuantity(limit);
  }));
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** CPU shares from requests, quota from limits, memory limit: the kubelet's own arithmetic. */
export function cgroupResources(container: Container): Resources {
  const limits: Amounts = container.resources?.limits ?? {};
  const requests: Amounts = container.resources?.requests ?? {};
  const cpuRequest = requests['cpu'] ?? limits['cpu'];
  const shares = cpuRequest === undefined ? 2 : Math.max(2, Math.floor((milliValue(cpuRequest) * 1024) / 1000));
  return {
    cpuShares: shares,
    ...(limits['cpu'] === undefined ? {} : { cpuPeriodUs: 100_000, cpuQuotaUs: Math.max(1000, milliValue(limits['cpu']) * 100) }),
    ...(limits['memory'] === undefined ? {} : { memoryBytes: Math.ceil(parseQuantity(limits['memory'])) }),
  };
}

/** Who is killed first when the machine runs out of memory: BestEffort first, Guaranteed last. */
export function oomScoreAdj(pod: Pod, container: Container, machineBytes: number): number {
  const quality = qosClass(pod);
  if (quality === 'Guaranteed') return -997;
  if (quality === 'BestEffort') return 1000;
  const request = parseQuantity(container.resources?.requests?.['memory'] ?? '0');
  return Math.min(999, Math.max(3, 1000 - Math.floor((1000 * request) / machineBytes)));
}
