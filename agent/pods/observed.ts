// What is known about one pod at one instant: the engine's containers, and the little that only this process remembers.
import type { Container, Pod } from 'kubernetes-types/core/v1.js';
import { labels } from '../labels.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';

/** The network of a sandbox, recorded on disk once the attachment is complete. */
export interface SandboxNetwork {
  readonly sandboxId: string;
  readonly ips: readonly string[];
}

export interface Observed {
  /** Every sandbox container of the pod, newest first; at most one runs. */
  readonly sandboxes: readonly RuntimeContainer[];
  /** Every container of the pod, all attempts. */
  readonly containers: readonly RuntimeContainer[];
  readonly network: SandboxNetwork | undefined;
}

/** Why a container could not be made, and how often in a row. */
export interface StartFailure {
  readonly count: number;
  readonly at: number;
  /** `ErrImagePull`, `InvalidImageName`, `ErrImageNeverPull`, `CreateContainerConfigError`, `CreateContainerError`. */
  readonly reason: string;
  readonly message: string;
}

export interface ProbeState {
  /** Of the container these results are about: a new attempt begins anew. */
  readonly containerId: string;
  readonly started: boolean;
  readonly ready: boolean;
  /** Set when liveness or startup failed: the container must be restarted. */
  readonly unhealthy: string | undefined;
}

export interface Memory {
  readonly failures: ReadonlyMap<string, StartFailure>;
  readonly probes: ReadonlyMap<string, ProbeState>;
  readonly sandboxFailure: StartFailure | undefined;
  /** Keys of actions in progress; nothing is planned for them. */
  readonly busy: ReadonlySet<string>;
  /** Containers whose postStart hook has not finished: they run, but are not ready. */
  readonly hooksPending: ReadonlySet<string>;
  /** Containers whose postStart hook failed, with why: they are killed. */
  readonly hooksFailed: ReadonlyMap<string, string>;
  /** The pod was ended by the node (`Evicted`, `DeadlineExceeded`), not by the API. */
  readonly ended: { readonly reason: string; readonly message: string } | undefined;
  /** A node without a podCIDR cannot wire pods yet. */
  readonly networkReady: boolean;
}

export const emptyMemory: Memory = {
  failures: new Map(), probes: new Map(), sandboxFailure: undefined, busy: new Set(), hooksPending: new Set(), hooksFailed: new Map(),
  ended: undefined, networkReady: true,
};

export function nameOf(container: RuntimeContainer): string {
  return container.labels[labels.containerName] ?? '';
}

export function attemptOf(container: RuntimeContainer): number {
  return Number(container.labels[labels.restartCount] ?? 0);
}

/** Attempts of one container, newest first. */
export function attemptsOf(observed: Observed, name: string): RuntimeContainer[] {
  return observed.containers.filter((one) => nameOf(one) === name).sort((a, b) => attemptOf(b) - attemptOf(a));
}

export function runningSandbox(observed: Observed): RuntimeContainer | undefined {
  return observed.sandboxes.find((one) => one.state === 'running');
}

export const isSidecar = (container: Container): boolean => (container as { restartPolicy?: string }).restartPolicy === 'Always';
export const initContainers = (pod: Pod): readonly Container[] => pod.spec?.initContainers ?? [];
export const mainContainers = (pod: Pod): readonly Container[] => pod.spec?.containers ?? [];
export const uidOf = (pod: Pod): string => pod.metadata?.uid ?? '';
export const isTerminating = (pod: Pod): boolean => pod.metadata?.deletionTimestamp !== undefined;
export const isHostNetwork = (pod: Pod): boolean => pod.spec?.hostNetwork === true;

/** Has the container finished in a way that its pod's restart policy accepts? */
export function shouldRestart(policy: string, exitCode: number): boolean {
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}
