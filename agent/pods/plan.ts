// The pod state machine: what to do now, given what the API wants and what the engine has. Pure; time comes in as an argument.
//
//   running:      sandbox -> network -> init containers one by one (sidecars stay) -> main containers, restarted as the policy says
//   terminating:  kill containers (sidecars last) -> detach, remove sandbox -> remove containers, volumes -> delete from the API
import type { Container, Pod } from 'kubernetes-types/core/v1.js';
import { labels } from '../labels.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';
import { backoffMs, nextCrashCount, restartAt } from './backoff.ts';
import { attemptOf, attemptsOf, initContainers, isHostNetwork, isSidecar, isTerminating, mainContainers, nameOf, runningSandbox, shouldRestart } from './observed.ts';
import type { Memory, Observed } from './observed.ts';

export type Action =
  | { readonly kind: 'create-sandbox'; readonly key: 'sandbox'; readonly attempt: number }
  | { readonly kind: 'attach-network'; readonly key: 'sandbox'; readonly sandboxId: string; readonly pid: number }
  | { readonly kind: 'start-container'; readonly key: string; readonly container: Container; readonly attempt: number; readonly crashCount: number; readonly sandboxId: string }
  | { readonly kind: 'kill-container'; readonly key: string; readonly id: string; readonly name: string; readonly reason: string; readonly graceSeconds: number }
  | { readonly kind: 'remove-container'; readonly key: string; readonly id: string }
  | { readonly kind: 'remove-sandbox'; readonly key: 'sandbox'; readonly id: string }
  | { readonly kind: 'finish-pod'; readonly key: 'finish' };

export interface Plan {
  readonly actions: readonly Action[];
  /** Ask again at this time even if nothing happens (a back-off ends, a deadline passes). */
  readonly wakeAt: number | undefined;
}

export interface Terminating { readonly graceSeconds: number }

interface Draft { readonly actions: Action[]; wakeAt: number | undefined }

const sandboxRetryMs = (count: number): number => Math.min(1000 * 2 ** (count - 1), 30_000);

function wakeAt(draft: Draft, at: number): void {
  draft.wakeAt = Math.min(draft.wakeAt ?? at, at);
}

/** What to do for a pod now. Actions of different keys may run at the same time; a key in `memory.busy` is left alone. */
export function planPod(pod: Pod, observed: Observed, memory: Memory, now: number): Plan {
  const draft: Draft = { actions: [], wakeAt: undefined };
  if (isTerminating(pod) || memory.ended !== undefined) planEnd(draft, pod, observed, memory, now);
  else if (isFinished(pod, observed)) planRest(draft, observed);
  else planRun(draft, pod, observed, memory, now);
  return { actions: draft.actions.filter((action) => !memory.busy.has(action.key)), wakeAt: draft.wakeAt };
}

/** Have all main containers ended for good? Also true when an init container failed for good. */
export function isFinished(pod: Pod, observed: Observed): boolean {
  const phase = pod.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return true;
  const policy = pod.spec?.restartPolicy ?? 'Always';
  if (policy === 'Always') return false;
  const endedForGood = (container: Container): boolean => {
    const latest = attemptsOf(observed, container.name)[0];
    return latest?.state === 'exited' && !shouldRestart(policy, latest.exitCode);
  };
  if (policy === 'Never' && initContainers(pod).some((one) => !isSidecar(one) && endedForGood(one) && attemptsOf(observed, one.name)[0]?.exitCode !== 0)) return true;
  return mainContainers(pod).every(endedForGood);
}

function planRun(draft: Draft, pod: Pod, observed: Observed, memory: Memory, now: number): void {
  const sandbox = runningSandbox(observed);
  const alive = observed.containers.filter((one) => one.state === 'running');
  const strays = alive.filter((one) => one.labels[labels.sandboxId] !== sandbox?.id);
  for (const stray of strays) draft.actions.push(kill(stray, 'its sandbox is gone', 2));
  const dead = observed.sandboxes.filter((one) => one.id !== sandbox?.id);
  if (dead.length > 0 && strays.length === 0) for (const one of dead) draft.actions.push({ kind: 'remove-sandbox', key: 'sandbox', id: one.id });
  if (strays.length > 0 || dead.length > 0) return;
  if (sandbox === undefined) {
    const failure = memory.sandboxFailure;
    if (failure !== undefined && now < failure.at + sandboxRetryMs(failure.count)) { wakeAt(draft, failure.at + sandboxRetryMs(failure.count)); return; }
    if (!isHostNetwork(pod) && !memory.networkReady) return;
    draft.actions.push({ kind: 'create-sandbox', key: 'sandbox', attempt: nextAttempt(observed) });
    return;
  }
  if (observed.network?.sandboxId !== sandbox.id) {
    const failure = memory.sandboxFailure;
    if (failure !== undefined && now < failure.at + sandboxRetryMs(failure.count)) { wakeAt(draft, failure.at + sandboxRetryMs(failure.count)); return; }
    draft.actions.push({ kind: 'attach-network', key: 'sandbox', sandboxId: sandbox.id, pid: sandbox.pid });
    return;
  }
  const started = mainContainers(pod).some((one) => attemptsOf(observed, one.name)[0]?.labels[labels.sandboxId] === sandbox.id);
  if (planInit(draft, pod, observed, memory, sandbox, now, started)) {
    for (const container of mainContainers(pod)) planContainer(draft, pod, observed, memory, sandbox, container, pod.spec?.restartPolicy ?? 'Always', now);
  }
}

/** A sandbox needs a name of its own: one more than any that containers of the pod have joined is enough, and survives removals. */
function nextAttempt(observed: Observed): number {
  const attempts = observed.containers.map((one) => Number(one.labels[labels.sandboxAttempt] ?? 0) + 1);
  return Math.max(0, ...attempts, ...observed.sandboxes.map((one) => attemptOf(one) + 1));
}

/** Runs init containers in order. True when the main containers may run. */
function planInit(draft: Draft, pod: Pod, observed: Observed, memory: Memory, sandbox: RuntimeContainer, now: number, mainStarted: boolean): boolean {
  const policy = pod.spec?.restartPolicy === 'Never' ? 'Never' : 'OnFailure';
  for (const container of initContainers(pod)) {
    if (isSidecar(container)) {
      planContainer(draft, pod, observed, memory, sandbox, container, 'Always', now);
      const probe = memory.probes.get(container.name);
      const latest = current(observed, container.name, sandbox);
      if (!mainStarted && (latest?.state !== 'running' || (container.startupProbe !== undefined && !(probe?.containerId === latest.id && probe.started)))) return false;
      continue;
    }
    if (mainStarted) continue;
    const latest = current(observed, container.name, sandbox);
    if (latest?.state === 'exited' && latest.exitCode === 0) continue;
    planContainer(draft, pod, observed, memory, sandbox, container, policy, now);
    return false;
  }
  return true;
}

function current(observed: Observed, name: string, sandbox: RuntimeContainer): RuntimeContainer | undefined {
  return attemptsOf(observed, name).find((one) => one.labels[labels.sandboxId] === sandbox.id);
}

function planContainer(
  draft: Draft, pod: Pod, observed: Observed, memory: Memory, sandbox: RuntimeContainer, container: Container, policy: string, now: number,
): void {
  const attempts = attemptsOf(observed, container.name);
  const latest = attempts[0];
  // One dead attempt is kept for `logs --previous`; older ones go.
  for (const old of attempts.slice(latest?.state === 'exited' ? 1 : 2)) if (old.state !== 'running') draft.actions.push({ kind: 'remove-container', key: `rm-${old.id}`, id: old.id });
  if (latest?.state === 'running') {
    const why = killReason(pod, container, latest, memory);
    if (why !== undefined) draft.actions.push(kill(latest, why.reason, why.grace));
    return;
  }
  if (latest?.state === 'created') {
    // Created but never started: the agent died in between. Nothing of it ran; make it anew.
    if (!memory.busy.has(container.name)) draft.actions.push({ kind: 'remove-container', key: container.name, id: latest.id });
    return;
  }
  const inThisSandbox = latest?.labels[labels.sandboxId] === sandbox.id;
  if (latest !== undefined && inThisSandbox) {
    if (!shouldRestart(policy, latest.exitCode)) return;
    const at = restartAt(latest);
    if (now < at) { wakeAt(draft, at); return; }
  }
  // A pod that must not restart does not do so in a new sandbox either.
  if (latest !== undefined && pod.spec?.restartPolicy === 'Never' && policy === 'Never') return;
  const failure = memory.failures.get(container.name);
  if (failure !== undefined) {
    const at = failure.at + failureDelayMs(failure.reason, failure.count);
    if (now < at) { wakeAt(draft, Math.min(at, failure.at + errorShownMs <= now ? at : failure.at + errorShownMs)); return; }
  }
  draft.actions.push({
    kind: 'start-container', key: container.name, container, sandboxId: sandbox.id,
    attempt: latest === undefined ? 0 : attemptOf(latest) + 1,
    crashCount: inThisSandbox ? nextCrashCount(latest) : 0,
  });
}

/** How long a failed pull is called ErrImagePull before it is called ImagePullBackOff. */
export const errorShownMs = 2000;

/** Image failures back off like the kubelet's; missing ConfigMaps and the like are looked for again soon. */
export function failureDelayMs(reason: string, count: number): number {
  return reason.includes('Image') ? backoffMs(count) : Math.min(1000 * 2 ** (count - 1), 10_000);
}

function killReason(pod: Pod, container: Container, latest: RuntimeContainer, memory: Memory): { reason: string; grace: number } | undefined {
  const grace = pod.spec?.terminationGracePeriodSeconds ?? 30;
  const hash = latest.labels[labels.specHash];
  if (hash !== undefined && hash !== container.image) return { reason: `Container ${container.name} definition changed, will be restarted`, grace };
  const hook = memory.hooksFailed.get(latest.id);
  if (hook !== undefined) return { reason: hook, grace };
  const probe = memory.probes.get(container.name);
  if (probe?.containerId !== latest.id || probe.unhealthy === undefined) return undefined;
  const own = (container.livenessProbe as { terminationGracePeriodSeconds?: number } | undefined)?.terminationGracePeriodSeconds;
  return { reason: probe.unhealthy, grace: own ?? grace };
}

function kill(container: RuntimeContainer, reason: string, graceSeconds: number): Action {
  return { kind: 'kill-container', key: nameOf(container), id: container.id, name: nameOf(container), reason, graceSeconds };
}

/** The pod is to go: main containers first, then sidecars in reverse order, then the sandbox, then everything else. */
function planEnd(draft: Draft, pod: Pod, observed: Observed, memory: Memory, now: number): void {
  const grace = pod.metadata?.deletionGracePeriodSeconds ?? pod.spec?.terminationGracePeriodSeconds ?? 30;
  const alive = observed.containers.filter((one) => one.state === 'running');
  const sidecars = initContainers(pod).filter(isSidecar).map((one) => one.name);
  const isSide = (one: RuntimeContainer): boolean => sidecars.includes(nameOf(one));
  const first = alive.filter((one) => !isSide(one));
  const last = alive.filter(isSide).sort((a, b) => sidecars.indexOf(nameOf(b)) - sidecars.indexOf(nameOf(a)));
  const next = first.length > 0 ? first : last.slice(0, 1);
  if (next.length > 0) {
    // Sidecars have what the others left of the pod's grace period, and two seconds at least.
    const left = Math.max(2, Math.ceil((Date.parse(pod.metadata?.deletionTimestamp ?? '') - now) / 1000) || 0);
    for (const one of next) draft.actions.push(kill(one, 'Stopping container', first.length > 0 ? grace : Math.min(grace, left)));
    return;
  }
  // A start that was cut off may still be under way in the engine: wait until its operation is over and look again.
  if (memory.busy.size > 0) return;
  planRest(draft, observed);
  if (draft.actions.length === 0 && isTerminating(pod)) draft.actions.push({ kind: 'finish-pod', key: 'finish' });
}

/** A finished pod keeps its containers (for their logs) but no network and no sandbox. */
function planRest(draft: Draft, observed: Observed): void {
  const alive = observed.containers.filter((one) => one.state === 'running');
  for (const one of alive) draft.actions.push(kill(one, 'the pod has finished', 30));
  if (alive.length > 0) return;
  const first = observed.sandboxes[0];
  if (first !== undefined) draft.actions.push({ kind: 'remove-sandbox', key: 'sandbox', id: first.id });
}
