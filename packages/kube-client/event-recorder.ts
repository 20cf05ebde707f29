// Events for `kubectl describe`: the same thing said again counts up one Event instead of making a second.
import { randomBytes } from 'node:crypto';
import type { KubeClient } from './client.ts';
import { systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { isNotFound } from './errors.ts';
import { resources } from './resources.ts';
import type { ResourceDescriptor } from './resources.ts';
import { apiVersionOf } from './resources.ts';
import type { KubeObject, ObjectReference } from './types.ts';

export interface EventRecorderOptions {
  readonly client: Pick<KubeClient, 'create' | 'patch'>;
  /** `kubelet`, `scheduler`, ...: the FROM column. */
  readonly component: string;
  readonly host?: string;
  readonly clock?: Clock;
  readonly onError?: (error: Error) => void;
}

/** Whole seconds, as metav1.Time is written. */
export function kubeTime(ms: number): string { return `${new Date(ms).toISOString().slice(0, 19)}Z`; }
/** Microseconds, as metav1.MicroTime is written. */
export function kubeMicroTime(ms: number): string { return new Date(ms).toISOString().replace('Z', '000Z'); }

/** The reference by which an Event names its object. */
export function referenceTo(resource: ResourceDescriptor, object: KubeObject, fieldPath?: string): ObjectReference {
  const { name, namespace, uid, resourceVersion } = object.metadata ?? {};
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    ...(name === undefined ? {} : { name }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    ...(fieldPath === undefined ? {} : { fieldPath }),
  };
}

interface Recorded { readonly namespace: string; readonly name: string; count: number }

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #clock: Clock;
  /** The newest Events, by what they say; bounded, oldest out. */
  readonly #recorded = new Map<string, Recorded>();
  #tail: Promise<void> = Promise.resolve();

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Records one fact; never throws and never waits: an Event that cannot be written is reported and dropped. */
  record(regarding: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void {
    const at = this.#clock.now();
    this.#tail = this.#tail.then(() => this.#write(regarding, type, reason, message, at)).catch((error: unknown) => {
      this.#options.onError?.(error instanceof Error ? error : new Error(String(error)));
    });
  }

  /** Resolves when everything recorded so far is written or dropped. */
  async flush(): Promise<void> { await this.#tail; }

  async #write(regarding: ObjectReference, type: string, reason: string, message: string, at: number): Promise<void> {
    const id = JSON.stringify([regarding.kind, regarding.namespace, regarding.name, regarding.uid, regarding.fieldPath, type, reason, message]);
    const known = this.#recorded.get(id);
    if (known !== undefined && await this.#countUp(known, at)) return;
    // Cluster-scoped objects have their Events in `default`, as in Kubernetes.
    const namespace = regarding.namespace ?? 'default';
    const name = `${regarding.name ?? 'unknown'}.${randomBytes(8).toString('hex')}`;
    const { component, host } = this.#options;
    await this.#options.client.create(resources.events, {
      metadata: { name, namespace },
      involvedObject: regarding,
      reason,
      message: message.slice(0, 1024),
      type,
      count: 1,
      firstTimestamp: kubeTime(at),
      lastTimestamp: kubeTime(at),
      source: { component, ...(host === undefined ? {} : { host }) },
      reportingComponent: component,
      reportingInstance: host ?? '',
    });
    this.#recorded.set(id, { namespace, name, count: 1 });
    if (this.#recorded.size > 1000) for (const oldest of this.#recorded.keys()) { this.#recorded.delete(oldest); break; }
  }

  async #countUp(known: Recorded, at: number): Promise<boolean> {
    try {
      known.count++;
      await this.#options.client.patch(resources.events, known, 'merge', { count: known.count, lastTimestamp: kubeTime(at) });
      return true;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      return false; // The Event expired: write a new one.
    }
  }
}
