// The Node object and its status, from what is known of the machine and the agent's parts. Pure.
import type { Node, NodeCondition } from '@podwire/kube-client';
import { kubeTime } from '../pods/container-status.ts';
import type { RuntimeImage } from '../runtime/runtime.ts';
import type { Machine, Pressure } from './machine.ts';

export const version = 'v1.32.0+podwire';

/** Below these the node is under pressure: the kubelet's own hard eviction thresholds. */
export const memoryThresholdBytes = 100 * 2 ** 20;
export const diskThreshold = 0.1;

export interface NodeState {
  readonly name: string;
  readonly nodeIPs: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly machine: Machine;
  readonly pressure: Pressure;
  readonly maxPods: number;
  readonly apiPort: number;
  readonly images: readonly RuntimeImage[];
  readonly runtimeVersion: string;
  /** Why the node cannot run pods; empty when it can. */
  readonly problems: readonly string[];
  /** Why pods of this node cannot reach others; undefined when routes are in place. */
  readonly networkProblem: string | undefined;
}

export function nodeLabelsOf(state: NodeState): Record<string, string> {
  const { machine } = state;
  return {
    'kubernetes.io/hostname': state.name, 'kubernetes.io/os': 'linux', 'kubernetes.io/arch': machine.architecture,
    'beta.kubernetes.io/os': 'linux', 'beta.kubernetes.io/arch': machine.architecture, ...state.labels,
  };
}

export function desiredNode(state: NodeState): Node {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name: state.name, labels: nodeLabelsOf(state) }, spec: {} };
}

/** Everything of the status but its conditions, which have several writers. */
export function nodeStatus(state: NodeState): Record<string, unknown> {
  const { machine } = state;
  const capacity = { cpu: String(machine.cpus), memory: `${Math.floor(machine.memoryBytes / 1024)}Ki`, pods: String(state.maxPods), 'ephemeral-storage': `${Math.floor(machine.storageBytes / 1024)}Ki` };
  return {
    addresses: [...state.nodeIPs.map((address) => ({ type: 'InternalIP', address })), { type: 'Hostname', address: state.name }],
    capacity,
    // The kubelet keeps its eviction threshold back from what pods may ask for.
    allocatable: { ...capacity, memory: `${Math.max(0, Math.floor((machine.memoryBytes - memoryThresholdBytes) / 1024))}Ki`, 'ephemeral-storage': String(Math.floor(machine.storageBytes * (1 - diskThreshold))) },
    daemonEndpoints: { kubeletEndpoint: { Port: state.apiPort } },
    nodeInfo: {
      machineID: machine.machineId, systemUUID: machine.machineId, bootID: machine.bootId, kernelVersion: machine.kernel, osImage: machine.osImage,
      containerRuntimeVersion: state.runtimeVersion, kubeletVersion: version, kubeProxyVersion: version, operatingSystem: 'linux', architecture: machine.architecture,
    },
    images: [...state.images].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, 50).map((image) => ({ names: [...image.names, ...image.digests], sizeBytes: image.sizeBytes })).filter((image) => image.names.length > 0),
  };
}

/** The conditions that the agent owns. NetworkUnavailable is the overlay's once it runs. */
export function nodeConditions(state: NodeState, before: readonly NodeCondition[], now: number): NodeCondition[] {
  const { pressure } = state;
  const make = (type: string, status: boolean, reason: string, message: string): NodeCondition => {
    const old = before.find((condition) => condition.type === type);
    const text = status ? 'True' : 'False';
    return { type, status: text, reason, message, lastHeartbeatTime: kubeTime(now), lastTransitionTime: old?.status === text && old.lastTransitionTime !== undefined ? old.lastTransitionTime : kubeTime(now) };
  };
  const memory = hasMemoryPressure(pressure);
  const disk = hasDiskPressure(pressure);
  const ready = state.problems.length === 0;
  return [
    ...(state.networkProblem === undefined || before.some((condition) => condition.type === 'NetworkUnavailable') ? [] : [make('NetworkUnavailable', true, 'NoRouteCreated', state.networkProblem)]),
    make('MemoryPressure', memory, memory ? 'KubeletHasInsufficientMemory' : 'KubeletHasSufficientMemory', memory ? 'kubelet has insufficient memory available' : 'kubelet has sufficient memory available'),
    make('DiskPressure', disk, disk ? 'KubeletHasDiskPressure' : 'KubeletHasNoDiskPressure', disk ? 'kubelet has disk pressure' : 'kubelet has no disk pressure'),
    make('PIDPressure', false, 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    make('Ready', ready, ready ? 'KubeletReady' : 'KubeletNotReady', ready ? 'kubelet is posting ready status' : state.problems.join('; ')),
  ];
}

export function hasMemoryPressure(pressure: Pressure): boolean {
  return pressure.memoryAvailableBytes < memoryThresholdBytes;
}

export function hasDiskPressure(pressure: Pressure): boolean {
  return pressure.diskAvailableBytes < pressure.diskBytes * diskThreshold;
}

/** Conditions that the API does not show as they are. */
export function changedConditions(current: readonly NodeCondition[], wanted: readonly NodeCondition[]): NodeCondition[] {
  return wanted.filter((one) => {
    const there = current.find((condition) => condition.type === one.type);
    return there?.status !== one.status || there.reason !== one.reason || there.message !== one.message;
  });
}

/** Is the status in the API so far from this one that it must be written? Heartbeat times alone are no reason. */
export function statusDiffers(current: unknown, wanted: Record<string, unknown>): boolean {
  const strip = (value: unknown): string => JSON.stringify(value, (_key, inner: unknown) => sorted(inner));
  const have = (current ?? {}) as Record<string, unknown>;
  return Object.entries(wanted).some(([key, value]) => strip(have[key]) !== strip(value));
}

/** Keys in one order: the server may answer in another. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
