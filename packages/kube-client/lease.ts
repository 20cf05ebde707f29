// Leases: a node's heartbeat, and the election of one leader among several processes.
import type { KubeClient } from './client.ts';
import { aborted, delay, systemClock } from './clock.ts';
import type { Clock } from './clock.ts';
import { isConflict, isNotFound } from './errors.ts';
import { kubeMicroTime } from './event-recorder.ts';
import { resources } from './resources.ts';
import type { Lease, OwnerReference } from './types.ts';

type LeaseClient = Pick<KubeClient, 'get' | 'create' | 'update'>;

export interface LeaseOptions {
  readonly client: LeaseClient;
  readonly name: string;
  /** Default `kube-node-lease`, where nodes' heartbeats live. */
  readonly namespace?: string;
  readonly holderIdentity: string;
  /** Default 40, as the kubelet's. */
  readonly leaseDurationSeconds?: number;
  readonly ownerReferences?: readonly OwnerReference[];
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/** Creates the Lease or renews it, whoever held it: a node's Lease has only one writer. */
export async function renewLease(options: LeaseOptions): Promise<Lease> {
  const { client, name, holderIdentity } = options;
  const namespace = options.namespace ?? 'kube-node-lease';
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const spec = { holderIdentity, leaseDurationSeconds: options.leaseDurationSeconds ?? 40, renewTime: kubeMicroTime((options.clock ?? systemClock).now()) };
  const owners = options.ownerReferences === undefined ? {} : { ownerReferences: [...options.ownerReferences] };
  try {
    const held = await client.get(resources.leases, { namespace, name }, call);
    return await client.update(resources.leases, { ...held, metadata: { ...held.metadata, ...owners }, spec: { ...held.spec, ...spec } }, call);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return client.create(resources.leases, { metadata: { name, namespace, ...owners }, spec }, call);
  }
}

export interface LeaderOptions extends LeaseOptions {
  /** Runs while this process leads; its signal aborts when the lead is lost. */
  readonly lead: (signal: AbortSignal) => Promise<void>;
  /** How often to try or renew; default a third of the duration. */
  readonly retryMs?: number;
  readonly onError?: (error: Error) => void;
}

/** True when this process holds the Lease after the call. A lease is free when its holder has not renewed it for its duration. */
export async function tryAcquireLease(options: LeaseOptions): Promise<boolean> {
  const { client, name, holderIdentity } = options;
  const namespace = options.namespace ?? 'kube-system';
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const now = (options.clock ?? systemClock).now();
  const seconds = options.leaseDurationSeconds ?? 15;
  const mine = { holderIdentity, leaseDurationSeconds: seconds, renewTime: kubeMicroTime(now) };
  try {
    const held = await client.get(resources.leases, { namespace, name }, call);
    const expires = Date.parse(held.spec?.renewTime ?? '') + (held.spec?.leaseDurationSeconds ?? 0) * 1000;
    const holder = held.spec?.holderIdentity ?? '';
    if (holder !== '' && holder !== holderIdentity && expires > now) return false;
    const acquired = holder === holderIdentity ? {} : { acquireTime: kubeMicroTime(now), leaseTransitions: (held.spec?.leaseTransitions ?? 0) + 1 };
    await client.update(resources.leases, { ...held, spec: { ...held.spec, ...mine, ...acquired } }, call);
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    if (!isNotFound(error)) throw error;
  }
  try {
    await client.create(resources.leases, { metadata: { name, namespace }, spec: { ...mine, acquireTime: kubeMicroTime(now), leaseTransitions: 0 } }, call);
    return true;
  } catch (error) {
    if (isConflict(error)) return false;
    throw error;
  }
}

/** Campaigns for ever: leads while it holds the Lease, waits while another does. Returns when `signal` aborts. */
export async function runLeaderElection(options: LeaderOptions & { readonly signal: AbortSignal }): Promise<void> {
  const clock = options.clock ?? systemClock;
  const durationMs = (options.leaseDurationSeconds ?? 15) * 1000;
  const retryMs = options.retryMs ?? durationMs / 3;
  let term: { readonly abort: AbortController; readonly done: Promise<void> } | undefined;
  let renewedAt = -Infinity;
  const depose = async (): Promise<void> => {
    term?.abort.abort();
    await term?.done;
    term = undefined;
  };
  while (!options.signal.aborted) {
    try {
      const held = await tryAcquireLease(options);
      if (held) renewedAt = clock.now();
      if (held && term === undefined) {
        const abort = new AbortController();
        term = { abort, done: options.lead(AbortSignal.any([abort.signal, options.signal])).catch((error: unknown) => options.onError?.(error as Error)) };
      } else if (!held) await depose();
    } catch (error) {
      if (aborted(options.signal)) break;
      options.onError?.(error as Error);
      if (clock.now() - renewedAt > durationMs * 0.66) await depose();
    }
    try {
      await delay(clock, retryMs, options.signal);
    } catch (error) {
      if (!aborted(options.signal)) throw error;
    }
  }
  await depose();
}
