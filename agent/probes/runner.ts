// Runs the probes of a pod's containers, each in its own rhythm, and keeps what they say.
import type { Container, Pod, Probe } from '@podwire/kube-client';
import { attemptsOf, initContainers, isSidecar, mainContainers } from '../pods/observed.ts';
import type { Observed, ProbeState } from '../pods/observed.ts';
import { runCheck } from './check.ts';
import type { CheckTarget } from './check.ts';
import { countResult, noResults } from './threshold.ts';
import type { ProbeKind } from './threshold.ts';

export interface ProbeDeps {
  target(pod: Pod, container: Container, containerId: string, podIP: string): CheckTarget;
  /** Something changed that the pod's worker must look at. */
  changed(): void;
  failed(container: Container, kind: ProbeKind, message: string): void;
}

export class ProbeRunner {
  readonly #deps: ProbeDeps;
  readonly #states = new Map<string, ProbeState>();
  readonly #loops = new Map<string, AbortController>();

  constructor(deps: ProbeDeps) {
    this.#deps = deps;
  }

  get states(): ReadonlyMap<string, ProbeState> {
    return this.#states;
  }

  /** Starts probes of containers that run, stops those of containers that do not. `paused`: the pod is going; readiness stays as it is. */
  reconcile(pod: Pod, observed: Observed, paused: boolean): void {
    const wanted = new Set<string>();
    for (const container of [...initContainers(pod).filter(isSidecar), ...mainContainers(pod)]) {
      const latest = attemptsOf(observed, container.name)[0];
      if (latest?.state !== 'running') continue;
      const known = this.#states.get(container.name);
      if (known?.containerId !== latest.id) {
        this.#states.set(container.name, { containerId: latest.id, started: container.startupProbe === undefined, ready: container.readinessProbe === undefined, unhealthy: undefined });
      }
      const podIP = observed.network?.ips[0] ?? '127.0.0.1';
      const target = this.#deps.target(pod, container, latest.id, podIP);
      for (const kind of ['startup', 'liveness', 'readiness'] as const) {
        const probe = container[`${kind}Probe`];
        if (probe === undefined || (paused && kind !== 'readiness')) continue;
        const key = `${latest.id}/${kind}`;
        wanted.add(key);
        if (!this.#loops.has(key)) this.#start(key, kind, probe, container, latest.id, latest.startedAt, target);
      }
    }
    for (const [key, loop] of this.#loops) if (!wanted.has(key)) { loop.abort(); this.#loops.delete(key); }
  }

  stop(): void {
    for (const loop of this.#loops.values()) loop.abort();
    this.#loops.clear();
  }

  #start(key: string, kind: ProbeKind, probe: Probe, container: Container, id: string, startedAt: number, target: CheckTarget): void {
    const stop = new AbortController();
    this.#loops.set(key, stop);
    const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    let tally = noResults;
    let timer: NodeJS.Timeout | undefined;
    stop.signal.addEventListener('abort', () => clearTimeout(timer));
    const again = (ms: number): void => {
      if (!stop.signal.aborted) timer = setTimeout(() => void once(), ms);
    };
    const once = async (): Promise<void> => {
      const state = this.#states.get(container.name);
      if (state?.containerId !== id) return;
      // The other probes wait until the container has started; startup itself ends with its first success.
      if (kind !== 'startup' && !state.started) { again(100); return; }
      const problem = await runCheck(probe, target, timeoutMs);
      if (stop.signal.aborted || this.#states.get(container.name)?.containerId !== id) return;
      const verdict = countResult(tally, problem === undefined, probe);
      tally = verdict.tally;
      if (problem !== undefined) this.#deps.failed(container, kind, problem);
      if (verdict.outcome !== undefined) this.#note(container, kind, verdict.outcome, problem);
      if (kind === 'startup' && verdict.outcome === 'pass') return;
      again(periodMs);
    };
    again(Math.max(0, startedAt + (probe.initialDelaySeconds ?? 0) * 1000 - Date.now()));
  }

  #note(container: Container, kind: ProbeKind, outcome: 'pass' | 'fail', problem: string | undefined): void {
    const state = this.#states.get(container.name);
    if (state === undefined) return;
    let next = state;
    if (kind === 'readiness') next = { ...state, ready: outcome === 'pass' };
    else if (outcome === 'fail') next = { ...state, unhealthy: `Container ${container.name} failed ${kind} probe, will be restarted: ${problem ?? ''}` };
    else if (kind === 'startup') next = { ...state, started: true };
    if (next.ready === state.ready && next.started === state.started && next.unhealthy === state.unhealthy) return;
    this.#states.set(container.name, next);
    this.#deps.changed();
  }
}
