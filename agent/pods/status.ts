// The pod's status as the API defines it, from what the engine has. Pure.
import type { Container, ContainerStatus, Pod, PodCondition, PodStatus } from '@podwire/kube-client';
import { containerStatus, kubeTime } from './container-status.ts';
import { initContainers, isHostNetwork, isSidecar, mainContainers, runningSandbox } from './observed.ts';
import type { Memory, Observed } from './observed.ts';
import { qosClass } from './qos.ts';

export interface StatusFacts {
  readonly pod: Pod;
  readonly observed: Observed;
  readonly memory: Memory;
  readonly now: number;
  readonly hostIPs: readonly string[];
  readonly messages: ReadonlyMap<string, string>;
}

/** Conditions that the agent owns; others (readiness gates) belong to whoever set them and are kept. */
const owned = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']);

export function podStatus(facts: StatusFacts): PodStatus {
  const { pod, observed, memory, now, hostIPs } = facts;
  const podPolicy = pod.spec?.restartPolicy ?? 'Always';
  const initPolicy = podPolicy === 'Never' ? 'Never' : 'OnFailure';
  const one = (container: Container, policy: string, waitingReason: 'ContainerCreating' | 'PodInitializing'): ContainerStatus =>
    containerStatus({ pod, container, observed, memory, now, policy, waitingReason, messages: facts.messages });
  const init = initContainers(pod).map((container) => one(container, isSidecar(container) ? 'Always' : initPolicy, 'PodInitializing'));
  const sidecars = new Set(initContainers(pod).filter(isSidecar).map((container) => container.name));
  const initialized = init.every((status) => sidecars.has(status.name) ? status.started === true : status.state?.terminated?.exitCode === 0)
    || mainContainers(pod).some((container) => observed.containers.some((found) => found.labels['io.kubernetes.container.name'] === container.name));
  const main = mainContainers(pod).map((container) => one(container, podPolicy, initialized || init.length === 0 ? 'ContainerCreating' : 'PodInitializing'));
  const phase = phaseOf(pod, init, sidecars, main, initialized, memory);
  const ips = isHostNetwork(pod) ? (runningSandbox(observed) === undefined ? [] : hostIPs) : (observed.network?.ips ?? []);
  return {
    phase,
    ...(memory.ended === undefined ? {} : { reason: memory.ended.reason, message: memory.ended.message }),
    conditions: conditions(facts, phase, initialized, [...init.filter((status) => sidecars.has(status.name)), ...main]),
    hostIP: hostIPs[0] ?? '',
    ...({ hostIPs: hostIPs.map((ip) => ({ ip })) } as object),
    ...(ips[0] === undefined ? {} : { podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) }),
    startTime: pod.status?.startTime ?? kubeTime(now),
    ...(init.length === 0 ? {} : { initContainerStatuses: init }),
    containerStatuses: main,
    qosClass: qosClass(pod),
  };
}

function phaseOf(
  pod: Pod, init: readonly ContainerStatus[], sidecars: ReadonlySet<string>, main: readonly ContainerStatus[], initialized: boolean, memory: Memory,
): string {
  if (memory.ended !== undefined) return 'Failed';
  const before = pod.status?.phase;
  if (before === 'Succeeded' || before === 'Failed') return before;
  const policy = pod.spec?.restartPolicy ?? 'Always';
  const failed = (status: ContainerStatus): boolean => status.state?.terminated !== undefined && status.state.terminated.exitCode !== 0;
  if (policy === 'Never' && init.some((status) => !sidecars.has(status.name) && failed(status))) return 'Failed';
  if (!initialized) return 'Pending';
  const waitsFirst = main.some((status) => status.state?.waiting !== undefined && status.lastState?.terminated === undefined);
  if (waitsFirst) return 'Pending';
  if (policy === 'Always' || main.some((status) => status.state?.terminated === undefined)) return 'Running';
  if (main.every((status) => status.state?.terminated?.exitCode === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function conditions(facts: StatusFacts, phase: string, initialized: boolean, statuses: readonly ContainerStatus[]): PodCondition[] {
  const { pod, observed, now } = facts;
  const before = pod.status?.conditions ?? [];
  const unready = statuses.filter((status) => !status.ready).map((status) => status.name);
  const over = phase === 'Succeeded' ? 'PodCompleted' : phase === 'Failed' ? 'PodFailed' : undefined;
  const hasNetwork = runningSandbox(observed) !== undefined && observed.network !== undefined;
  const gates = (pod.spec?.readinessGates ?? []).map((gate) => gate.conditionType)
    .filter((type) => !before.some((condition) => condition.type === type && condition.status === 'True'));
  const containersReady = over === undefined && unready.length === 0;
  const notReady = over === undefined
    ? { reason: 'ContainersNotReady', message: `containers with unready status: [${unready.join(' ')}]` }
    : { reason: over };
  const make = (type: string, ok: boolean, why: { reason?: string; message?: string } = {}): PodCondition => {
    const old = before.find((condition) => condition.type === type);
    const status = ok ? 'True' : 'False';
    return { type, status, lastTransitionTime: old?.status === status && old.lastTransitionTime !== undefined ? old.lastTransitionTime : kubeTime(now), ...why };
  };
  const uninitialized = initContainers(pod).map((container) => container.name);
  return [
    make('PodReadyToStartContainers', hasNetwork),
    make('Initialized', initialized || over !== undefined,
      initialized ? (phase === 'Succeeded' ? { reason: 'PodCompleted' } : {}) : { reason: 'ContainersNotInitialized', message: `containers with incomplete status: [${uninitialized.join(' ')}]` }),
    make('Ready', containersReady && gates.length === 0,
      !containersReady ? notReady : gates.length === 0 ? {} : { reason: 'ReadinessGatesNotReady', message: `corresponding condition of pod readiness gate "${gates[0] ?? ''}" does not exist or is not True` }),
    make('ContainersReady', containersReady, containersReady ? {} : notReady),
    make('PodScheduled', true),
    ...before.filter((condition) => !owned.has(condition.type)),
  ];
}

/** Fields of a status that are to be removed when the new one lacks them: a merge patch needs a null for each. */
export function statusPatch(before: PodStatus | undefined, after: PodStatus): Record<string, unknown> {
  const patch: Record<string, unknown> = { ...after };
  const old = (before ?? {}) as Record<string, unknown>;
  for (const key of Object.keys(old)) if (!(key in patch) && ['podIP', 'podIPs', 'reason', 'message', 'initContainerStatuses'].includes(key)) patch[key] = null;
  return patch;
}
