// What a pod's worker needs of the world. The real ones are wired in agent.ts; tests bring fakes.
import type { ConfigMap, ObjectReference, Pod, Secret, Service } from '@podwire/kube-client';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { ContainerRuntime, RuntimeContainer } from '../runtime/runtime.ts';
import type { ImagePuller } from './images.ts';
import type { DnsSettings } from './sandbox-files.ts';
import type { NodeSettings } from './specs.ts';
import type { Volumes } from './volumes.ts';

/** The pod's side of the Kubernetes API. */
export interface PodApi {
  patchStatus(pod: Pod, status: Readonly<Record<string, unknown>>): Promise<void>;
  /** The last word about a pod that has ended here: removes it if it is still the same one. */
  deleteFinal(pod: Pod): Promise<void>;
  /** Resolves when no Service sends new connections to the pod any more, or when that cannot be waited for. */
  leaveEndpoints(pod: Pod, signal: AbortSignal): Promise<void>;
  record(pod: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void;
}

/** ConfigMaps, Secrets, Services and tokens that pods refer to. */
export interface ObjectSource {
  /** Present state of these objects, followed from now on: `changed` is called when one of them changes. */
  configMaps(namespace: string, names: ReadonlySet<string>, owner: string): Promise<ReadonlyMap<string, ConfigMap>>;
  secrets(namespace: string, names: ReadonlySet<string>, owner: string): Promise<ReadonlyMap<string, Secret>>;
  services(): Promise<readonly Service[]>;
  token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string>;
  /** The owner (a pod UID) needs none of them any more. */
  release(owner: string): void;
}

export interface PodNetwork {
  /** False until the node has a podCIDR. */
  readonly ready: boolean;
  /** Wires the sandbox; its addresses, primary first. Repeating it gives the same. */
  attach(pod: Pod, sandbox: RuntimeContainer): Promise<readonly string[]>;
  detach(sandboxId: string): Promise<void>;
  /** Connects from the node's namespace to a pod. */
  connect(host: string, port: number): Socket;
}

export interface Clock {
  now(): number;
}

export interface PodDeps {
  readonly runtime: ContainerRuntime;
  readonly api: PodApi;
  readonly objects: ObjectSource;
  readonly network: PodNetwork;
  readonly volumes: Volumes;
  readonly images: ImagePuller;
  readonly settings: NodeSettings;
  readonly dns: () => DnsSettings;
  readonly hostIPs: readonly string[];
  readonly allocatable: { readonly cpu: number; readonly memory: number };
  readonly clock: Clock;
  readonly log: Logger;
}
