// The labels that make a container ours. They are the agent's only memory of what runs: a killed agent reads them back and goes on.

/** Label names on every container of a pod. The first two say whose container it is, the others which container of which pod. */
export const labels = {
  /** The lab (or cluster) the container belongs to: two labs on one engine never see each other's containers. */
  cluster: 'podwire.io/cluster',
  node: 'podwire.io/node',
  /** `sandbox` (the pause container of a pod), `container`, or, for the lab's own node containers, `node`. */
  role: 'podwire.io/role',
  podUid: 'io.kubernetes.pod.uid',
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  containerName: 'io.kubernetes.container.name',
  /** How many times this container of this pod was created before. */
  restartCount: 'io.kubernetes.container.restartCount',
  /** Hash of the container's spec: another hash (an image changed in place) means the container must be replaced. */
  specHash: 'io.kubernetes.container.hash',
  /** Quick restarts in a row that led to this attempt: the back-off of the next one. */
  crashCount: 'podwire.io/crash-count',
  /** The sandbox that the container joined: with another sandbox everything starts anew, init containers too. */
  sandboxId: 'podwire.io/sandbox',
  sandboxAttempt: 'podwire.io/sandbox-attempt',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
} as const;

export type ContainerRole = 'sandbox' | 'container' | 'node';

export interface PodIdentity {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
}

/**
 * The engine's name of a container, in the kubelet's own form. The engine refuses a second container of the same name:
 * that refusal is the guard against starting one attempt twice, whoever tries.
 */
export function containerName(container: string, pod: PodIdentity, attempt: number): string {
  return `k8s_${container}_${pod.name}_${pod.namespace}_${pod.uid}_${attempt}`;
}
