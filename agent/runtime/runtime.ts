// What the agent asks of a container engine. Docker is one implementation, the fake in testing/ another; one contract test runs both.
// The agent's words, not Docker's: an engine behind another interface (CRI) must be able to answer every one of these.
import type { Duplex, Readable } from 'node:stream';
import type { ContainerRole } from '../labels.ts';

export type ContainerState = 'created' | 'running' | 'exited';

/** A container as the engine reports it. Times are milliseconds since 1970, 0 when it has not happened. */
export interface RuntimeContainer {
  readonly id: string;
  readonly name: string;
  readonly role: ContainerRole;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: ContainerState;
  readonly pid: number;
  readonly exitCode: number;
  readonly signal: number;
  readonly oomKilled: boolean;
  /** What the engine says about a start that failed. */
  readonly error: string;
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  /** The image as it was asked for, and its content address. */
  readonly image: string;
  readonly imageId: string;
  /** Signal that asks it to end, by its image; SIGTERM unless the image says otherwise. */
  readonly stopSignal: string;
  readonly tty: boolean;
}

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  readonly propagation?: 'rprivate' | 'rslave' | 'rshared';
}

export interface Resources {
  readonly memoryBytes?: number;
  readonly cpuShares?: number;
  readonly cpuQuotaUs?: number;
  readonly cpuPeriodUs?: number;
}

export interface ContainerSpec {
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Undefined: the image's own entry point / arguments. */
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env: readonly string[];
  readonly workingDir?: string;
  readonly hostname?: string;
  /** `none`: an empty namespace of its own. `{ container }`: that container's. `host`: the machine's. */
  readonly network: 'none' | 'host' | { readonly container: string };
  readonly ipc: 'shareable' | 'host' | { readonly container: string };
  readonly pid: 'private' | 'host' | { readonly container: string };
  readonly mounts: readonly Mount[];
  readonly devices?: readonly string[];
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  readonly noNewPrivileges?: boolean;
  readonly seccomp?: 'default' | 'unconfined';
  readonly readOnlyRootFilesystem?: boolean;
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly resources?: Resources;
  readonly shmSizeBytes?: number;
  readonly oomScoreAdj?: number;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
}

export interface RuntimeImage {
  readonly id: string;
  readonly names: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
}

/** The part of an image's own configuration that decides how a container is checked (runAsNonRoot). */
export interface ImageDetails extends RuntimeImage {
  readonly user: string;
}

export interface RegistryAuth {
  readonly username?: string;
  readonly password?: string;
  readonly serveraddress?: string;
  readonly identitytoken?: string;
}

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Last N lines; all when undefined. */
  readonly tail?: number;
  /** Seconds since 1970 (fractions allowed). */
  readonly since?: number;
}

export interface ExecOptions {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** An interactive stream into a container. With a tty, stderr is silent: the terminal has one output. */
export interface ContainerStreams {
  /** Write end; `end()` half-closes stdin and leaves the output open. */
  readonly stdin: Duplex;
  readonly stdout: Readable;
  readonly stderr: Readable;
  resize(columns: number, rows: number): Promise<void>;
  /** Exit code of the process; of an attachment, 0 once the stream has ended. */
  readonly exit: Promise<number>;
  destroy(): void;
}

export interface ContainerStats {
  readonly cpuNanoseconds: number;
  readonly memoryUsageBytes: number;
  readonly memoryWorkingSetBytes: number;
}

export interface RuntimeEvent {
  readonly containerId: string;
  readonly podUid: string;
  readonly action: string;
}

export interface RuntimeInfo {
  readonly name: string;
  readonly version: string;
  readonly cgroupVersion: string;
}

export interface Containers {
  /** Every container with all of these labels, in any state, with the details of each. */
  list(labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<readonly RuntimeContainer[]>;
  /** Creates without starting. ECONFLICT when the name is taken. Returns the id. */
  create(spec: ContainerSpec, signal: AbortSignal): Promise<string>;
  start(id: string, signal: AbortSignal): Promise<void>;
  /** Sends a signal. A container that does not run, or is gone, is fine. */
  kill(id: string, signalName: string, signal: AbortSignal): Promise<void>;
  /** Removes it, running or not. A container that is gone is fine. */
  remove(id: string, signal: AbortSignal): Promise<void>;
  stats(id: string, signal: AbortSignal): Promise<ContainerStats>;
}

export interface Images {
  list(signal: AbortSignal): Promise<readonly RuntimeImage[]>;
  /** Undefined when the engine does not have it. */
  inspect(reference: string, signal: AbortSignal): Promise<ImageDetails | undefined>;
  pull(reference: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<void>;
  remove(id: string, signal: AbortSignal): Promise<void>;
}

export interface Streams {
  exec(id: string, options: ExecOptions, signal: AbortSignal): Promise<ContainerStreams>;
  attach(id: string, options: { readonly stdin: boolean; readonly tty: boolean }, signal: AbortSignal): Promise<ContainerStreams>;
  /** stdout and stderr in the order in which they were written. */
  logs(id: string, options: LogOptions, signal: AbortSignal): Promise<Readable>;
}

export interface ContainerRuntime {
  readonly containers: Containers;
  readonly images: Images;
  readonly streams: Streams;
  info(signal: AbortSignal): Promise<RuntimeInfo>;
  /** Changes of containers with these labels, until the signal aborts or the engine goes away (the iteration then ends or throws). */
  events(labels: Readonly<Record<string, string>>, signal: AbortSignal): AsyncIterable<RuntimeEvent>;
}

export type RuntimeErrorCode =
  /** The engine does not answer at all. */
  | 'EUNAVAILABLE'
  | 'ENOTFOUND' | 'ECONFLICT'
  /** The image reference is no reference. */
  | 'EINVALIDIMAGE'
  | 'EENGINE';

/** The one error class of this boundary: what was tried, on what, and the engine's own words. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly code: RuntimeErrorCode;
  constructor(operation: string, code: RuntimeErrorCode, engineText: string, cause?: unknown) {
    super(`${operation}: ${engineText}`, cause === undefined ? {} : { cause });
    this.code = code;
  }
}
