// What a lesson may touch: packets, faults, objects of its own. Everything it changes is taken back by `heal`.
import { setTimeout as delay } from 'node:timers/promises';
import { setSysctl } from '@podwire/netlink';
import { isAlreadyExists, isNotFound, resources } from '@podwire/kube-client';
import type { Deployment, KubeClient, Pod, Service } from '@podwire/kube-client';
import { adminClient } from '../cluster/client.ts';
import { LabError } from '../errors.ts';
import { applyFault, undoFaults } from '../faults/index.ts';
import type { FaultFlags } from '../faults/index.ts';
import { placesOfLab } from '../matrix/lab-places.ts';
import { Prober } from '../matrix/prober.ts';
import { NAMESPACE, PORT } from '../matrix/workload-objects.ts';
import { ensureWorkload } from '../matrix/workload.ts';
import { nodeNetns } from '../node-command.ts';
import type { Lab } from '../state/existing.ts';
import { underlayAddresses } from '../state/spec.ts';
import { traceLab } from '../trace/index.ts';
import type { Trace, TraceOptions } from '../trace/index.ts';
import { LESSON } from './objects.ts';

const deadlineMs = 60_000;

export class Stage {
  readonly lab: Lab;
  readonly client: KubeClient;
  readonly signal: AbortSignal;

  private constructor(lab: Lab, signal: AbortSignal) {
    this.lab = lab;
    this.signal = signal;
    this.client = adminClient(lab.names);
  }

  /** Probe pods on every node, no fault in force, nothing of an earlier lesson. */
  static async open(lab: Lab, signal: AbortSignal): Promise<Stage> {
    if (lab.spec.nodes < 2) throw new LabError('EUSAGE', 'a lesson needs two nodes; bring them up with: podwire up --nodes 3');
    const stage = new Stage(lab, signal);
    await stage.heal();
    await ensureWorkload(stage.client, { signal });
    await stage.delivered(stage.pod(1), stage.service('on-node2'));
    return stage;
  }

  pod(node: 1 | 2, turn: 'a' | 'b' = 'a'): string {
    return `${NAMESPACE}/probe-node${node}-${turn}`;
  }

  service(name: string): string {
    return `svc/${NAMESPACE}/${name}`;
  }

  nodeAddress(node: 1 | 2): string {
    return underlayAddresses(this.lab.spec).node(node);
  }

  async nodePort(name: string): Promise<number> {
    const { spec } = await this.client.get(resources.services, { namespace: NAMESPACE, name });
    return spec?.ports?.[0]?.nodePort ?? 0;
  }

  trace(from: string, to: string, options: Partial<TraceOptions> = {}): Promise<Trace> {
    this.signal.throwIfAborted();
    return traceLab(this.lab, { from, to, protocol: 'tcp', timeoutMs: 1000, ...options });
  }

  /** The trace that says so: what was put right in the API reaches the nodes a moment later. */
  async delivered(from: string, to: string, options: Partial<TraceOptions> = {}): Promise<Trace> {
    return this.until(`${from} reaches ${to}`, async () => {
      const trace = await this.trace(from, to, options);
      return trace.verdict === 'DELIVERED' ? trace : undefined;
    });
  }

  /** Waits until `look` gives something. Throws after a minute, or when the lesson is interrupted. */
  async until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      this.signal.throwIfAborted();
      const value = await look();
      if (value !== undefined) return value;
      if (performance.now() > deadline) throw new LabError('EFAILED', `not within ${deadlineMs / 1000} s: ${what}`);
      await delay(50, undefined, { signal: this.signal });
    }
  }

  /** Breaks something; returns the command. `heal` and `undo` put it right. */
  async fault(name: string, flags: FaultFlags = {}): Promise<string> {
    this.signal.throwIfAborted();
    await applyFault(this.lab, name, flags);
    return `./podwire fault ${name}${Object.entries(flags).map(([key, value]) => ` --${key} ${value}`).join('')}`;
  }

  async undo(): Promise<string> {
    await undoFaults(this.lab, { name: 'all' });
    return './podwire fault --undo all';
  }

  /** A sysctl of a node; a fault that saved it before puts it back. */
  async setSysctl(node: 1 | 2, key: string, value: string): Promise<void> {
    setSysctl(await nodeNetns(this.lab.names, this.lab.spec, `node${node}`), key, value);
  }

  /** A client inside a pod that makes many requests without being started anew. */
  async prober(pod: string): Promise<Prober> {
    const [namespace = '', name = ''] = pod.split('/');
    return Prober.start(await placesOfLab(this.lab), { kind: 'pod', namespace, name, node: '' });
  }

  async createPod(pod: Pod): Promise<void> {
    await this.#namespace();
    await this.client.create(resources.pods, pod, { signal: this.signal });
    await this.until(`pod ${pod.metadata?.name ?? ''} is ready`, async () => {
      const { status } = await this.client.get(resources.pods, { namespace: LESSON, name: pod.metadata?.name ?? '' });
      return status?.conditions?.some((one) => one.type === 'Ready' && one.status === 'True') === true ? true : undefined;
    });
  }

  async createService(service: Service): Promise<string> {
    await this.#namespace();
    const { spec } = await this.client.create(resources.services, service, { signal: this.signal });
    return spec?.clusterIP ?? '';
  }

  async createDeployment(deployment: Deployment): Promise<void> {
    await this.#namespace();
    await this.client.create(resources.deployments, deployment, { signal: this.signal });
  }

  async deploymentReady(name: string): Promise<void> {
    await this.until(`deployment ${name} is complete`, async () => {
      const { metadata, spec, status } = await this.client.get(resources.deployments, { namespace: LESSON, name });
      const wanted = spec?.replicas ?? 1;
      if (status === undefined || status.observedGeneration !== metadata?.generation) return undefined;
      return [status.updatedReplicas, status.availableReplicas, status.replicas].every((count) => count === wanted) ? true : undefined;
    });
  }

  async #namespace(): Promise<void> {
    try {
      await this.client.create(resources.namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: LESSON } });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  /** No fault in force, and the lesson's own objects gone. Not stopped by an interruption: it is what follows one. */
  async heal(): Promise<void> {
    await undoFaults(this.lab, { name: 'all' });
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      try {
        const { metadata } = await this.client.get(resources.namespaces, { name: LESSON });
        if (metadata?.deletionTimestamp === undefined) await this.client.delete(resources.namespaces, { name: LESSON });
      } catch (error) {
        if (isNotFound(error)) return;
        throw error;
      }
      if (performance.now() > deadline) throw new LabError('EFAILED', `namespace ${LESSON} does not go; see: kubectl get all -n ${LESSON}`);
      await delay(100);
    }
  }

  close(): void {
    this.client.close();
  }
}

export { LESSON, PORT };
