// Writes a pod's status to the API: only when it differs from what was last written, one write at a time, the newest wins.
import { isDeepStrictEqual } from 'node:util';
import { isNotFound } from '@podwire/kube-client';
import type { Pod } from '@podwire/kube-client';
import type { PodDeps } from './deps.ts';
import type { Memory, Observed } from './observed.ts';
import type { Operations } from './operations.ts';
import { podStatus, statusPatch } from './status.ts';

const retryMs = 1000;

export class StatusReporter {
  readonly #deps: PodDeps;
  readonly #operations: Operations;
  #written: Readonly<Record<string, unknown>> | undefined;
  #wanted: { readonly pod: Pod; readonly patch: Readonly<Record<string, unknown>> } | undefined;
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
    if (isDeepStrictEqual(patch, this.#wanted?.patch ?? this.#written)) return;
    if (this.#wanted === undefined && alreadyThere(pod, patch)) {
      this.#written = patch;
      return;
    }
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
        this.#written = patch;
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
