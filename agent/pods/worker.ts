// One pod, one worker: looks at the engine, plans, starts what the plan says, reports. Everything that takes long runs
// beside the loop, so that a deletion is seen at once.
import type { Pod } from '@podwire/kube-client';
import type { ProbeKind } from '../probes/threshold.ts';
import { ProbeRunner } from '../probes/runner.ts';
import { RuntimeError } from '../runtime/runtime.ts';
import type { PodDeps } from './deps.ts';
import { isTerminating, runningSandbox, uidOf } from './observed.ts';
import type { Memory, Observed, StartFailure } from './observed.ts';
import { observePod } from './observe.ts';
import { Operations } from './operations.ts';
import { Killer } from './killer.ts';
import { planPod } from './plan.ts';
import type { Action } from './plan.ts';
import { StatusReporter } from './status-reporter.ts';
import { lastWords } from './last-words.ts';
import { failureOf } from './failures.ts';

interface Operation { readonly abort: AbortController; readonly kind: Action['kind'] | 'refresh-volumes'; readonly done: Promise<void> }

export class PodWorker {
  readonly #deps: PodDeps;
  readonly #operations: Operations;
  readonly #reporter: StatusReporter;
  readonly #probes: ProbeRunner;
  readonly #killer: Killer;
  readonly #running = new Map<string, Operation>();
  readonly #failures = new Map<string, StartFailure>();
  readonly #hooksPending = new Set<string>();
  readonly #hooksFailed = new Map<string, string>();
  readonly #messages = new Map<string, string>();
  readonly #stop = new AbortController();
  #sandboxFailure: StartFailure | undefined;
  #ended: Memory['ended'];
  #pod: Pod;
  /** True when the API has no such pod (any more): nothing is reported, only cleared away. */
  #orphan: boolean;
  #observed: Observed = { sandboxes: [], containers: [], network: undefined };
  #volumesDirty = false;
  #dirty = true;
  #wake: (() => void) | undefined;
  #retryMs = 0;
  readonly #onFinished: () => void;

  constructor(deps: PodDeps, pod: Pod, orphan: boolean, onFinished: () => void) {
    this.#deps = deps;
    this.#pod = pod;
    this.#orphan = orphan;
    this.#onFinished = onFinished;
    this.#operations = new Operations(deps);
    this.#reporter = new StatusReporter(deps, this.#operations);
    this.#killer = new Killer(deps, this.#operations);
    this.#probes = new ProbeRunner({
      target: (_pod, container, id, podIP) => this.#operations.target(container, id, podIP, this.#stop.signal),
      changed: () => this.wake(),
      failed: (container, kind: ProbeKind, message) => {
        const title = `${kind.slice(0, 1).toUpperCase()}${kind.slice(1)}`;
        this.#operations.event(this.#pod, 'Warning', 'Unhealthy', `${title} probe failed: ${message}`, container.name);
      },
    });
    void this.#loop();
  }

  get pod(): Pod { return this.#pod; }
  get observed(): Observed { return this.#observed; }

  /** What is there now, for a caller who cannot wait for the next sync. */
  look(): Promise<Observed> { return observePod(this.#deps, uidOf(this.#pod), this.#stop.signal); }
  get ended(): Memory['ended'] { return this.#ended; }
  /** True while something of the pod is being made or taken away. */
  get busy(): boolean { return this.#running.size > 0; }

  update(pod: Pod): void {
    const shorter = (pod.metadata?.deletionGracePeriodSeconds ?? Infinity) < (this.#pod.metadata?.deletionGracePeriodSeconds ?? Infinity);
    this.#pod = pod;
    if (shorter) this.#killer.shorten((pod.metadata?.deletionGracePeriodSeconds ?? 30) * 1000);
    this.#volumesDirty = true;
    this.wake();
  }

  /** The API has removed the pod: whatever still runs of it goes now. */
  removed(): void {
    this.#orphan = true;
    this.#pod = { ...this.#pod, metadata: { ...this.#pod.metadata, deletionTimestamp: new Date(this.#deps.clock.now()).toISOString(), deletionGracePeriodSeconds: 1 } };
    this.#killer.shorten(1000);
    this.wake();
  }

  /** Ends the pod from the node's side; it stays in the API as Failed. */
  end(reason: string, message: string): void {
    this.#ended ??= { reason, message };
    this.wake();
  }

  volumesChanged(): void {
    this.#volumesDirty = true;
    this.wake();
  }

  wake(): void {
    this.#dirty = true;
    this.#wake?.();
  }

  /** Stops working; what runs in the engine goes on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#probes.stop();
    this.wake();
    for (const operation of this.#running.values()) operation.abort.abort();
    await Promise.allSettled([...this.#running.values()].map((operation) => operation.done));
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      let wakeAt: number | undefined;
      this.#dirty = false;
      try {
        wakeAt = await this.#sync();
        this.#retryMs = 0;
      } catch (error) {
        if (this.#isStopped()) break;
        this.#retryMs = Math.min(Math.max(250, this.#retryMs * 2), 10_000);
        wakeAt = this.#deps.clock.now() + this.#retryMs;
        const gone = error instanceof RuntimeError && error.code === 'EUNAVAILABLE';
        this.#deps.log[gone ? 'debug' : 'warn']({ pod: this.#name, err: error }, 'pod sync failed; retried');
      }
      await this.#sleep(wakeAt);
    }
    this.#probes.stop();
  }

  /** Asked anew: the type checker otherwise believes that it cannot change across an await. */
  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #sleep(wakeAt: number | undefined): Promise<void> {
    if (this.#dirty || this.#stop.signal.aborted) return;
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (wakeAt !== undefined) timer = setTimeout(resolve, Math.min(Math.max(0, wakeAt - this.#deps.clock.now()), 2 ** 31 - 1));
    });
    this.#wake = undefined;
    clearTimeout(timer);
  }

  get #name(): string {
    return `${this.#pod.metadata?.namespace ?? ''}/${this.#pod.metadata?.name ?? ''}`;
  }

  /** `before`: keys that were busy when the engine was asked. What they did since may be missing in its answer, so they count as busy still. */
  #memory(before: readonly string[]): Memory {
    return {
      failures: this.#failures, probes: this.#probes.states, sandboxFailure: this.#sandboxFailure, busy: new Set([...before, ...this.#running.keys()]),
      hooksPending: this.#hooksPending, hooksFailed: this.#hooksFailed, ended: this.#ended, networkReady: this.#deps.network.ready,
    };
  }

  /** One turn. Returns when the next is due at the latest. */
  async #sync(): Promise<number | undefined> {
    const { clock } = this.#deps;
    const busyBefore = [...this.#running.keys()];
    this.#observed = await observePod(this.#deps, uidOf(this.#pod), this.#stop.signal);
    this.#killer.notice(this.#observed);
    await lastWords(this.#deps, this.#observed, this.#messages, this.#stop.signal);
    const deadline = this.#deadline();
    if (deadline !== undefined && clock.now() >= deadline) this.#ended ??= { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' };
    const ending = isTerminating(this.#pod) || this.#ended !== undefined;
    if (ending) for (const operation of this.#running.values()) if (operation.kind === 'start-container' || operation.kind === 'create-sandbox') operation.abort.abort();
    this.#probes.reconcile(this.#pod, this.#observed, ending);
    const plan = planPod(this.#pod, this.#observed, this.#memory(busyBefore), clock.now());
    for (const action of plan.actions) if (!this.#running.has(action.key)) this.#launch(action);
    if (!ending) this.#refreshVolumes();
    if (!this.#orphan) this.#reporter.report(this.#pod, this.#observed, this.#memory(busyBefore), this.#messages, clock.now());
    const due = [plan.wakeAt, deadline !== undefined && deadline > clock.now() ? deadline : undefined].filter((at) => at !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }

  #deadline(): number | undefined {
    const seconds = this.#pod.spec?.activeDeadlineSeconds;
    const started = this.#pod.status?.startTime;
    const phase = this.#pod.status?.phase;
    if (seconds === undefined || started === undefined || phase === 'Succeeded' || phase === 'Failed') return undefined;
    return Date.parse(started) + seconds * 1000;
  }

  #refreshVolumes(): void {
    if (!this.#volumesDirty || this.#running.has('volumes') || runningSandbox(this.#observed) === undefined) return;
    this.#volumesDirty = false;
    const observed = this.#observed;
    this.#track('volumes', 'refresh-volumes', async () => {
      await this.#deps.volumes.refresh(this.#pod, (volume) => this.#operations.volumeInputs(this.#pod, volume, observed));
    });
  }

  #launch(action: Action): void {
    const pod = this.#pod;
    const observed = this.#observed;
    this.#track(action.key, action.kind, async (signal) => {
      switch (action.kind) {
        case 'create-sandbox': await this.#operations.createSandbox(pod, action.attempt, signal); break;
        case 'attach-network': {
          const sandbox = runningSandbox(observed);
          if (sandbox !== undefined) await this.#operations.attachNetwork(pod, sandbox);
          this.#sandboxFailure = undefined;
          break;
        }
        case 'start-container': await this.#start(pod, observed, action, signal); break;
        case 'kill-container': await this.#killer.kill(pod, observed, action, signal); break;
        case 'remove-container': await this.#deps.runtime.containers.remove(action.id, signal); break;
        case 'remove-sandbox': await this.#operations.removeSandbox(pod, action.id, signal); break;
        case 'finish-pod': {
          await this.#reporter.settled();
          await this.#operations.finish(pod, observed, this.#orphan, signal);
          this.#stop.abort();
          this.#onFinished();
        }
      }
    }, action);
  }

  async #start(pod: Pod, observed: Observed, action: Extract<Action, { kind: 'start-container' }>, signal: AbortSignal): Promise<void> {
    const id = await this.#operations.startContainer(pod, observed, action, signal);
    this.#failures.delete(action.container.name);
    if (action.container.lifecycle?.postStart === undefined) return;
    this.#hooksPending.add(id);
    this.wake();
    const problem = await this.#operations.postStart(pod, action.container, id, observed.network?.ips[0] ?? '127.0.0.1', signal);
    this.#hooksPending.delete(id);
    if (problem !== undefined) this.#hooksFailed.set(id, problem);
  }

  #track(key: string, kind: Operation['kind'], body: (signal: AbortSignal) => Promise<void>, action?: Action): void {
    const abort = new AbortController();
    const done = body(abort.signal).catch((error: unknown) => {
      if (abort.signal.aborted || this.#stop.signal.aborted) return;
      if (action !== undefined) this.#noteFailure(action, error);
      else this.#operations.event(this.#pod, 'Warning', 'FailedMount', error instanceof Error ? error.message : String(error));
    }).finally(() => {
      this.#running.delete(key);
      this.wake();
    });
    this.#running.set(key, { abort, kind, done });
  }

  #noteFailure(action: Action, error: unknown): void {
    const { clock, log } = this.#deps;
    const failure = failureOf(action, error);
    log.warn({ pod: this.#name, action: action.kind, container: action.kind === 'start-container' ? action.container.name : undefined, err: error }, failure.message);
    if (error instanceof RuntimeError && error.code === 'EUNAVAILABLE') {
      // The engine is away: not the pod's fault, no back-off is counted against it.
      this.#sandboxFailure = action.key === 'sandbox' ? { count: 1, at: clock.now(), reason: failure.reason, message: failure.message } : this.#sandboxFailure;
      return;
    }
    const container = action.kind === 'start-container' ? action.container.name : undefined;
    if (failure.event !== undefined) this.#operations.event(this.#pod, 'Warning', failure.event, failure.message, container);
    const previous = container === undefined ? this.#sandboxFailure : this.#failures.get(container);
    const next: StartFailure = { count: (previous?.count ?? 0) + 1, at: clock.now(), reason: failure.reason, message: failure.message };
    if (container === undefined) this.#sandboxFailure = next;
    else if (failure.counts) this.#failures.set(container, next);
  }
}
