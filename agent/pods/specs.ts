// Pod and container of the API as container specs for the engine. Pure.
import type { Container, Pod } from '@podwire/kube-client';
import { containerName, labels } from '../labels.ts';
import type { PodIdentity } from '../labels.ts';
import type { ContainerSpec, Mount } from '../runtime/runtime.ts';
import { ContainerConfigError } from './env.ts';
import { expandVariables } from './expand.ts';
import { isHostNetwork } from './observed.ts';
import { cgroupResources, oomScoreAdj } from './qos.ts';

export interface NodeSettings {
  readonly clusterId: string;
  readonly nodeName: string;
  readonly pauseImage: string;
  /** Container whose network namespace is the node's; undefined: the machine's own. */
  readonly nodeContainer: string | undefined;
  readonly machineMemoryBytes: number;
  readonly lowestOomScoreAdj: number;
}

export function identityOf(pod: Pod): PodIdentity {
  return { uid: pod.metadata?.uid ?? '', name: pod.metadata?.name ?? '', namespace: pod.metadata?.namespace ?? 'default' };
}

/** Labels by which a node's agent finds its own containers. */
export function nodeLabels(settings: NodeSettings): Record<string, string> {
  return { [labels.cluster]: settings.clusterId, [labels.node]: settings.nodeName };
}

function podLabels(settings: NodeSettings, pod: PodIdentity): Record<string, string> {
  return { ...nodeLabels(settings), [labels.podUid]: pod.uid, [labels.podName]: pod.name, [labels.podNamespace]: pod.namespace };
}

export function sandboxSpec(pod: Pod, attempt: number, hostname: string, settings: NodeSettings): ContainerSpec {
  const identity = identityOf(pod);
  const hostNetwork = isHostNetwork(pod);
  const sysctls = Object.fromEntries((pod.spec?.securityContext?.sysctls ?? []).map((one) => [one.name, one.value]));
  return {
    name: containerName('POD', identity, attempt),
    image: settings.pauseImage,
    labels: { ...podLabels(settings, identity), [labels.role]: 'sandbox', [labels.containerName]: 'POD', [labels.restartCount]: String(attempt) },
    env: [],
    hostname,
    network: !hostNetwork ? 'none' : settings.nodeContainer === undefined ? 'host' : { container: settings.nodeContainer },
    ipc: pod.spec?.hostIPC === true ? 'host' : 'shareable',
    pid: pod.spec?.hostPID === true ? 'host' : 'private',
    mounts: [],
    sysctls,
    // The pause container must not be what the kernel kills first: with it goes the pod's network.
    oomScoreAdj: Math.max(settings.lowestOomScoreAdj, -998),
    resources: { cpuShares: 2 },
    tty: false, stdin: false, stdinOnce: false,
  };
}

export interface ContainerInputs {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  readonly crashCount: number;
  readonly sandboxId: string;
  readonly sandboxAttempt: number;
  readonly env: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  /** User that the image sets: `uid`, `name` or empty. */
  readonly imageUser: string;
  readonly imageId: string;
}

/** Throws a ContainerConfigError when the security context forbids what the image wants. */
export function containerSpec(inputs: ContainerInputs, settings: NodeSettings): ContainerSpec {
  const { pod, container, env } = inputs;
  const identity = identityOf(pod);
  const context = container.securityContext ?? {};
  const podContext = pod.spec?.securityContext ?? {};
  const expand = (text: string): string => expandVariables(text, env);
  const user = context.runAsUser ?? podContext.runAsUser;
  const group = context.runAsGroup ?? podContext.runAsGroup;
  refuseRoot(inputs, user);
  const groups = [...(podContext.supplementalGroups ?? []), ...(podContext.fsGroup === undefined ? [] : [podContext.fsGroup])].map(String);
  const seccomp = context.seccompProfile?.type ?? podContext.seccompProfile?.type;
  const shared = pod.spec?.shareProcessNamespace === true;
  return {
    name: containerName(container.name, identity, inputs.attempt),
    image: inputs.imageId,
    labels: {
      ...podLabels(settings, identity),
      [labels.role]: 'container', [labels.containerName]: container.name, [labels.restartCount]: String(inputs.attempt),
      [labels.crashCount]: String(inputs.crashCount), [labels.sandboxId]: inputs.sandboxId, [labels.sandboxAttempt]: String(inputs.sandboxAttempt),
      [labels.specHash]: container.image ?? '',
      [labels.terminationMessagePath]: container.terminationMessagePath ?? '/dev/termination-log',
      [labels.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
    },
    ...(container.command === undefined || container.command.length === 0 ? {} : { command: container.command.map(expand) }),
    ...(container.args === undefined || container.args.length === 0 ? {} : { args: container.args.map(expand) }),
    env: [...env].map(([name, value]) => `${name}=${value}`),
    ...(container.workingDir === undefined ? {} : { workingDir: container.workingDir }),
    network: { container: inputs.sandboxId },
    ipc: pod.spec?.hostIPC === true ? 'host' : { container: inputs.sandboxId },
    pid: pod.spec?.hostPID === true ? 'host' : shared ? { container: inputs.sandboxId } : 'private',
    mounts: inputs.mounts,
    ...(user === undefined && group === undefined ? {} : { user: `${user ?? (inputs.imageUser === '' ? 0 : inputs.imageUser.split(':')[0] ?? 0)}${group === undefined ? '' : `:${group}`}` }),
    ...(groups.length === 0 ? {} : { groups }),
    ...(context.capabilities?.add === undefined ? {} : { capAdd: context.capabilities.add }),
    ...(context.capabilities?.drop === undefined ? {} : { capDrop: context.capabilities.drop }),
    privileged: context.privileged === true,
    noNewPrivileges: context.allowPrivilegeEscalation === false,
    seccomp: seccomp === 'RuntimeDefault' ? 'default' : 'unconfined',
    readOnlyRootFilesystem: context.readOnlyRootFilesystem === true,
    resources: cgroupResources(container),
    oomScoreAdj: Math.max(settings.lowestOomScoreAdj, oomScoreAdj(pod, container, settings.machineMemoryBytes)),
    tty: container.tty === true, stdin: container.stdin === true, stdinOnce: container.stdinOnce === true,
  };
}

function refuseRoot(inputs: ContainerInputs, user: number | undefined): void {
  const { pod, container } = inputs;
  const nonRoot = container.securityContext?.runAsNonRoot ?? pod.spec?.securityContext?.runAsNonRoot;
  if (nonRoot !== true) return;
  const imageUser = inputs.imageUser.split(':')[0] ?? '';
  if (user === 0) throw new ContainerConfigError(`container ${container.name}: runAsUser 0 contradicts runAsNonRoot`);
  if (user !== undefined) return;
  if (imageUser === '' || imageUser === '0' || imageUser === 'root') {
    throw new ContainerConfigError(`container ${container.name} has runAsNonRoot and image will run as root (image ${container.image ?? ''}); set runAsUser`);
  }
  if (!/^\d+$/u.test(imageUser)) {
    throw new ContainerConfigError(`container ${container.name} has runAsNonRoot and image has non-numeric user (${imageUser}), cannot verify user is non-root; set runAsUser`);
  }
}
