import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.js';
import { ageSince } from '../../conventions/age.ts';
import type { Loose } from './loose.ts';

export type PodSummary = Readonly<{ ready: string; status: string; restarts: string }>;

type Status = Loose<ContainerStatus>;

/** READY, STATUS and RESTARTS of `kubectl get pods`: what the phase does not tell, such as Init:0/1, CrashLoopBackOff, Terminating. */
export function podSummary(pod: Loose<Pod>, nowMs: number): PodSummary {
  const status = pod.status ?? {};
  const initContainers = pod.spec?.initContainers ?? [];
  const restartable = new Set(initContainers.filter((container) => container.restartPolicy === 'Always').map((container) => container.name));
  const total = (pod.spec?.containers ?? []).length + restartable.size;

  let reason = status.reason ?? status.phase ?? '';
  if (status.conditions?.some((condition) => condition.type === 'PodScheduled' && condition.reason === 'SchedulingGated') === true) reason = 'SchedulingGated';

  const init = initProgress(status.initContainerStatuses ?? [], restartable, initContainers.length);
  let readyCount = init.ready;
  let restarts = init.restarts;
  if (init.reason !== undefined) reason = init.reason;

  if (init.reason === undefined || hasCondition(pod, 'Initialized')) {
    const main = mainProgress(status.containerStatuses ?? [], reason);
    reason = main.reason;
    readyCount += main.ready;
    restarts = addRestarts(init.sidecarRestarts, main.restarts);
    // A finished container beside a running one: the pod is still at work.
    if (reason === 'Completed' && main.running) reason = hasCondition(pod, 'Ready') ? 'Running' : 'NotReady';
  }

  if (pod.metadata?.deletionTimestamp !== undefined) {
    if (status.reason === 'NodeLost') reason = 'Unknown';
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') reason = 'Terminating';
  }
  const ago = restarts.count === 0 || restarts.last === undefined ? '' : ` (${ageSince(restarts.last, nowMs)} ago)`;
  return { ready: `${readyCount}/${total}`, status: reason, restarts: `${restarts.count}${ago}` };
}

type Restarts = Readonly<{ count: number; last: string | undefined }>;

function restartsOf(container: Status): Restarts {
  return { count: container.restartCount ?? 0, last: container.lastState?.terminated?.finishedAt };
}

function addRestarts(a: Restarts, b: Restarts): Restarts {
  const later = a.last === undefined || (b.last !== undefined && Date.parse(b.last) > Date.parse(a.last)) ? b.last : a.last;
  return { count: a.count + b.count, last: later };
}

const NO_RESTARTS: Restarts = { count: 0, last: undefined };

/** Init containers run one after the other: the first that is not done gives the reason. */
function initProgress(statuses: readonly Status[], restartable: ReadonlySet<string | undefined>, total: number) {
  let restarts = NO_RESTARTS;
  let sidecarRestarts = NO_RESTARTS;
  let ready = 0;
  for (const [index, container] of statuses.entries()) {
    const isSidecar = restartable.has(container.name);
    restarts = addRestarts(restarts, restartsOf(container));
    if (isSidecar) sidecarRestarts = addRestarts(sidecarRestarts, restartsOf(container));
    const { terminated, waiting } = container.state ?? {};
    if (terminated !== undefined && terminated.exitCode === 0) continue;
    if (isSidecar && container.started === true) {
      if (container.ready === true) ready++;
      continue;
    }
    let reason = `Init:${index}/${total}`;
    if (terminated !== undefined) reason = `Init:${exitReason(terminated)}`;
    else if (waiting?.reason !== undefined && waiting.reason !== '' && waiting.reason !== 'PodInitializing') reason = `Init:${waiting.reason}`;
    return { reason, ready, restarts, sidecarRestarts };
  }
  return { reason: undefined, ready, restarts, sidecarRestarts };
}

/** The first container in trouble wins. */
function mainProgress(statuses: readonly Status[], phaseReason: string) {
  let reason = phaseReason;
  let restarts = NO_RESTARTS;
  let ready = 0;
  let running = false;
  for (const container of [...statuses].reverse()) {
    restarts = addRestarts(restarts, restartsOf(container));
    const { terminated, waiting } = container.state ?? {};
    if (waiting?.reason !== undefined && waiting.reason !== '') reason = waiting.reason;
    else if (terminated !== undefined) reason = exitReason(terminated);
    else if (container.ready === true && container.state?.running !== undefined) {
      running = true;
      ready++;
    }
  }
  return { reason, restarts, ready, running };
}

function exitReason(terminated: { reason?: string | undefined; signal?: number | undefined; exitCode?: number | undefined }): string {
  if (terminated.reason !== undefined && terminated.reason !== '') return terminated.reason;
  return (terminated.signal ?? 0) !== 0 ? `Signal:${String(terminated.signal)}` : `ExitCode:${terminated.exitCode ?? 0}`;
}

function hasCondition(pod: Loose<Pod>, type: string): boolean {
  return pod.status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;
}
