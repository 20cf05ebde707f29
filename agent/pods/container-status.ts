// One container's entry in the pod's status. Pure.
import type { Container, ContainerState, ContainerStatus, Pod } from '@podwire/kube-client';
import type { RuntimeContainer } from '../runtime/runtime.ts';
import { backoffMs, crashCount, endedAt, restartAt } from './backoff.ts';
import { attemptOf, attemptsOf, isTerminating, shouldRestart } from './observed.ts';
import type { Memory, Observed, StartFailure } from './observed.ts';
import { errorShownMs } from './plan.ts';

/** metav1.Time: whole seconds, UTC. */
export function kubeTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

export interface ContainerFacts {
  readonly pod: Pod;
  readonly container: Container;
  readonly observed: Observed;
  readonly memory: Memory;
  readonly now: number;
  /** Restart policy of this container: the pod's, `Always` for a sidecar, `OnFailure` for an init container of an Always pod. */
  readonly policy: string;
  /** What a container that does not exist yet waits for. */
  readonly waitingReason: 'ContainerCreating' | 'PodInitializing';
  /** Last words of ended containers by id, from their termination message file or their log. */
  readonly messages: ReadonlyMap<string, string>;
}

export function containerStatus(facts: ContainerFacts): ContainerStatus {
  const { container, observed, memory } = facts;
  const attempts = attemptsOf(observed, container.name);
  const latest = attempts.find((one) => one.state !== 'created');
  const previous = attempts.find((one) => one.state === 'exited' && one.id !== latest?.id);
  const state = stateOf(facts, latest);
  const running = state.running !== undefined && latest !== undefined;
  const probe = latest !== undefined && memory.probes.get(container.name)?.containerId === latest.id ? memory.probes.get(container.name) : undefined;
  const hooked = latest !== undefined && !memory.hooksPending.has(latest.id);
  const started = running && hooked && (container.startupProbe === undefined || probe?.started === true);
  const ready = started && (container.readinessProbe === undefined || probe?.ready === true);
  const last = state.waiting !== undefined && latest?.state === 'exited' ? latest : previous;
  const succeededInit = state.terminated?.exitCode === 0 && facts.policy !== 'Always';
  return {
    name: container.name,
    state,
    lastState: last === undefined ? {} : terminated(last, facts.messages),
    ready: ready || (succeededInit && isInit(facts)),
    started,
    restartCount: latest === undefined ? 0 : attemptOf(latest),
    image: container.image ?? '',
    imageID: latest === undefined ? '' : latest.imageId,
    ...(latest === undefined ? {} : { containerID: `docker://${latest.id}` }),
  };
}

function isInit(facts: ContainerFacts): boolean {
  return (facts.pod.spec?.initContainers ?? []).some((one) => one.name === facts.container.name);
}

function stateOf(facts: ContainerFacts, latest: RuntimeContainer | undefined): ContainerState {
  const { container, memory, now, policy } = facts;
  if (latest?.state === 'running') return { running: { startedAt: kubeTime(latest.startedAt) } };
  const over = isTerminating(facts.pod) || memory.ended !== undefined;
  const failure = memory.failures.get(container.name);
  if (failure !== undefined && !over) return { waiting: waitingFor(failure, container, now) };
  if (latest === undefined) return { waiting: { reason: facts.waitingReason } };
  if (over || !shouldRestart(policy, latest.exitCode) || now >= restartAt(latest)) return terminated(latest, facts.messages);
  const delay = backoffMs(crashCount(latest)) / 1000;
  return {
    waiting: {
      reason: 'CrashLoopBackOff',
      message: `back-off ${delay}s restarting failed container=${container.name} pod=${facts.pod.metadata?.name ?? ''}_${facts.pod.metadata?.namespace ?? ''}(${facts.pod.metadata?.uid ?? ''})`,
    },
  };
}

function waitingFor(failure: StartFailure, container: Container, now: number): { reason: string; message: string } {
  if (failure.reason === 'ErrImagePull' && now >= failure.at + errorShownMs) {
    return { reason: 'ImagePullBackOff', message: `Back-off pulling image "${container.image ?? ''}": ${failure.reason}: ${failure.message}` };
  }
  return { reason: failure.reason, message: failure.message };
}

function terminated(container: RuntimeContainer, messages: ReadonlyMap<string, string>): ContainerState {
  const reason = container.oomKilled ? 'OOMKilled' : container.error !== '' ? 'ContainerCannotRun' : container.exitCode === 0 ? 'Completed' : 'Error';
  const message = messages.get(container.id) ?? container.error;
  const startedAt = container.startedAt === 0 ? container.createdAt : container.startedAt;
  return {
    terminated: {
      exitCode: container.exitCode, reason,
      ...(message === '' ? {} : { message }),
      startedAt: kubeTime(startedAt), finishedAt: kubeTime(endedAt(container)),
      containerID: `docker://${container.id}`,
    },
  };
}
