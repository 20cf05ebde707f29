// The pod's side of the Kubernetes API, over the client.
import { setTimeout as sleep } from 'node:timers/promises';
import { EventRecorder, isAbort, isConflict, isConnectionError, isNotFound, resources } from '@podwire/kube-client';
import type { Endpoint, KubeClient, ObjectReference, Pod } from '@podwire/kube-client';
import type { PodApi } from './pods/deps.ts';
import { isStatic } from './static-pods.ts';

const leaveTimeoutMs = 3000;
/** From the change in the API to the last proxy's kernel. */
const proxiesFollowMs = 250;

function nameOf(pod: Pod): { namespace: string; name: string } {
  return { namespace: pod.metadata?.namespace ?? 'default', name: pod.metadata?.name ?? '' };
}

export class KubePodApi implements PodApi {
  readonly #client: KubeClient;
  readonly #recorder: EventRecorder;

  constructor(client: KubeClient, nodeName: string, onError: (error: Error) => void) {
    this.#client = client;
    this.#recorder = new EventRecorder({ client, component: 'kubelet', host: nodeName, onError });
  }

  async patchStatus(pod: Pod, status: Readonly<Record<string, unknown>>): Promise<void> {
    // The UID keeps a status from landing on a successor of the same name. A static pod's goes to its mirror, which has another one.
    const metadata = isStatic(pod) ? {} : { metadata: { uid: pod.metadata?.uid } };
    await this.#client.patch(resources.pods, nameOf(pod), 'merge', { ...metadata, status }, { subresource: 'status' });
  }

  async deleteFinal(pod: Pod): Promise<void> {
    try {
      const uid = pod.metadata?.uid;
      await this.#client.delete(resources.pods, nameOf(pod), { gracePeriodSeconds: 0, ...(uid === undefined || isStatic(pod) ? {} : { preconditions: { uid } }) });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  /**
   * The API marks an endpoint as terminating when its pod is deleted; proxies follow. A server that stops before they have loses
   * connections, so its stop signal waits for that: some hundred milliseconds, seconds at most, and not at all without a Service.
   */
  async leaveEndpoints(pod: Pod, signal: AbortSignal): Promise<void> {
    const uid = pod.metadata?.uid;
    const deadline = Date.now() + leaveTimeoutMs;
    for (let waitMs = 25; Date.now() < deadline; waitMs = Math.min(waitMs * 2, 200)) {
      let mine: readonly Endpoint[];
      try {
        const slices = await this.#client.list(resources.endpointSlices, { ...(pod.metadata?.namespace === undefined ? {} : { namespace: pod.metadata.namespace }), signal });
        mine = slices.items.flatMap((slice) => slice.endpoints).filter((endpoint) => endpoint.targetRef?.uid === uid);
      } catch (error) {
        if (isAbort(error) || isConnectionError(error)) return;
        throw error;
      }
      if (mine.length === 0) return;
      const isOut = mine.every((endpoint) => endpoint.conditions?.ready === false);
      await sleep(isOut ? proxiesFollowMs : waitMs, undefined, { signal }).catch(() => undefined);
      if (isOut) return;
    }
  }

  record(pod: ObjectReference, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#recorder.record(pod, type, reason, message);
  }
}
