// Writes a pod's status to the API: whenever the API shows another one, one write at a time, the newest wins.
import { isDeepStrictEqual } from 'node:util';
import { isNotFound } from '@podwire/kube-client';
import type { Pod } from '@podwire/kube-client';
import type { PodDeps } from './deps.ts';
import type { Memory, Observed } from './observed.ts';
import type { Operations } from './operations.ts';
import { podStatus, statusPatch } from './status.ts';

const retryMs = 1000;

/** What is said of a pod, and the pod as the API showed it then: it goes on showing that until the watch has caught up. */
interface Answer {
  readonly pod: Pod;
  readonly patch: Readonly<Record<string, unknown>>;
}

export class StatusReporter {
  readonly #deps: PodDeps;
  readonly #operations: Operations;
  #written: Answer | undefined;
  #wanted: Answer | undefined;
  #writing: Promise<void> | undefined;
  readonly #told = new Set<string>();

  constructor(deps: PodDeps, operations: Operations) {
    this.#deps = deps;
    this.#operations = operations;
  }

  report(pod: Pod, observed: Observed, memory: Memory, messages: ReadonlyMap<string, string>, now: number): void {
    const before = pod.status?.phase;
    // A finished pod whose containers were cleared away keeps the status that it finished with.
    if ((before === 'Succeeded' || before === 'Failed') && observed.containers.length === 0) return;
    const status = podStatus({ pod, observed, memory, now, hostIPs: this.#deps.hostIPs, messages });
    this.#tellBackOffs(pod, status);
    const patch = statusPatch(pod.status, status);
    const last = this.#wanted ?? this.#written;
    const isSaid = isDeepStrictEqual(patch, last?.patch);
    if (isSaid && last?.pod.metadata?.resourceVersion === pod.metadata?.resourceVersion) return;
    if (alreadyThere(pod, patch) && (isSaid || this.#wanted === undefined)) return;
    // Said before and not there: somebody else has written over it.
    this.#wanted = { pod, patch };
    this.#writing ??= this.#write().finally(() => { this.#writing = undefined; });
  }

  /** Resolves when nothing is being written. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#wanted !== undefined) {
      const { pod, patch } = this.#wanted;
      try {
        await this.#deps.api.patchStatus(pod, patch);
        this.#written = { pod, patch };
        if (this.#wanted.patch === patch) this.#wanted = undefined;
      } catch (error) {
        if (isNotFound(error)) {
          this.#wanted = undefined;
          return;
        }
        this.#deps.log.debug({ pod: pod.metadata?.name, err: error }, 'status not written; retried');
        // A pod that is to go must not wait for an API server that is away; its deletion will be retried anyway.
        await new Promise((resolve) => { setTimeout(resolve, retryMs); });
      }
    }
  }

  /** One Event for each time that a container is held back. */
  #tellBackOffs(pod: Pod, status: ReturnType<typeof podStatus>): void {
    for (const one of [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])]) {
      const reason = one.state?.waiting?.reason;
      if (reason !== 'CrashLoopBackOff' && reason !== 'ImagePullBackOff') continue;
      const key = `${one.name}/${reason}/${one.restartCount}/${one.state?.waiting?.message ?? ''}`;
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      const text = reason === 'CrashLoopBackOff' ? `Back-off restarting failed container ${one.name} in pod ${pod.metadata?.name ?? ''}_${pod.metadata?.namespace ?? ''}(${pod.metadata?.uid ?? ''})` : `Back-off pulling image "${one.image}"`;
      this.#operations.event(pod, 'Warning', 'BackOff', text, one.name);
    }
  }
}

/** Does the API already show all of this? True for a pod that an agent finds unchanged after a restart. */
function alreadyThere(pod: Pod, patch: Readonly<Record<string, unknown>>): boolean {
  const status = (pod.status ?? {}) as Record<string, unknown>;
  return Object.entries(patch).every(([key, value]) => value === null ? status[key] === undefined : isDeepStrictEqual(status[key], value));
}
