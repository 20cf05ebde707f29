// Ends a container as its pod's owner may expect: preStop, the stop signal, and SIGKILL when the grace period is over.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pod } from '@podwire/kube-client';
import type { PodDeps } from './deps.ts';
import type { Observed } from './observed.ts';
import type { Operations } from './operations.ts';
import type { Action } from './plan.ts';

/** An engine says within this time that a container is gone that it has sent SIGKILL. */
const KILLED_WITHIN_MS = 5000;

type Kill = Extract<Action, { kind: 'kill-container' }>;

export class Killer {
  readonly #deps: PodDeps;
  readonly #operations: Operations;
  readonly #exits = new Map<string, () => void>();
  /** Running kills by container id: how to end the grace period sooner. */
  readonly #shorten = new Map<string, (ms: number) => void>();

  constructor(deps: PodDeps, operations: Operations) {
    this.#deps = deps;
    this.#operations = operations;
  }

  /** Tells waiting kills which containers have ended. */
  notice(observed: Observed): void {
    const alive = new Set(observed.containers.filter((one) => one.state === 'running').map((one) => one.id));
    for (const [id, done] of this.#exits) if (!alive.has(id)) done();
  }

  /** A second, shorter deletion: the grace period that remains is at most this. */
  shorten(ms: number): void {
    for (const cut of this.#shorten.values()) cut(ms);
  }

  async kill(pod: Pod, observed: Observed, action: Kill, signal: AbortSignal): Promise<void> {
    const { runtime, log } = this.#deps;
    const target = observed.containers.find((one) => one.id === action.id);
    this.#operations.event(pod, 'Normal', 'Killing', action.reason === 'Stopping container' ? `Stopping container ${action.name}` : action.reason, action.name);
    // An agent that stops does not wait for the end of a grace period: the next one starts it anew.
    const exited = new Promise<void>((resolve) => {
      this.#exits.set(action.id, resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    const grace = this.#gracePeriod(action.id, action.graceSeconds * 1000);
    try {
      const hook = new AbortController();
      await Promise.race([
        this.#farewell(pod, observed, action, AbortSignal.any([signal, hook.signal])),
        exited, grace.over,
      ]);
      hook.abort();
      if (action.graceSeconds > 0) await runtime.containers.kill(action.id, target?.stopSignal ?? 'SIGTERM', signal);
      await Promise.race([exited, grace.over]);
      if (!grace.isOver() || signal.aborted) return;
      log.info({ pod: pod.metadata?.name, container: action.name }, 'grace period is over: SIGKILL');
      await runtime.containers.kill(action.id, 'SIGKILL', signal);
      await Promise.race([exited, sleep(KILLED_WITHIN_MS, undefined, { ref: false })]);
    } finally {
      grace.cancel();
      this.#exits.delete(action.id);
      this.#shorten.delete(action.id);
    }
  }

  /** What comes before the stop signal: the preStop hook, and for a pod that is deleted, the end of new connections. */
  async #farewell(pod: Pod, observed: Observed, action: Kill, signal: AbortSignal): Promise<void> {
    const { api, log } = this.#deps;
    const isLeaving = pod.metadata?.deletionTimestamp !== undefined && action.graceSeconds > 1;
    await Promise.all([
      this.#operations.preStop(pod, action.name, action.id, observed.network?.ips[0] ?? '127.0.0.1', action.graceSeconds * 1000, signal),
      isLeaving ? api.leaveEndpoints(pod, signal).catch((error: unknown) => log.debug({ err: error }, 'cannot see whether the pod has left its Services')) : undefined,
    ]);
  }

  #gracePeriod(id: string, ms: number): { over: Promise<void>; isOver: () => boolean; cancel: () => void } {
    let isOver = ms <= 0;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      const end = (): void => {
        isOver = true;
        resolve();
      };
      timer = setTimeout(end, ms);
      const due = Date.now() + ms;
      this.#shorten.set(id, (less) => {
        if (Date.now() + less >= due) return;
        clearTimeout(timer);
        timer = setTimeout(end, less);
      });
    });
    return { over, isOver: () => isOver, cancel: () => clearTimeout(timer) };
  }
}
