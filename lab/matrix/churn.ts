// Requests without a pause while endpoints come and go: every lost one is counted and told with the moment it happened at.
import { setTimeout as delay } from 'node:timers/promises';
import type { KubeClient } from '@podwire/kube-client';
import { resources } from '@podwire/kube-client';
import { LabError } from '../errors.ts';
import { loadAll } from './churn-load.ts';
import type { Source, Stream } from './churn-load.ts';
import { START_REPLICAS, churnPods } from './churn-moments.ts';
import type { Change, Moment } from './churn-moments.ts';
import { CHURN, churnDeployment, churnService } from './churn-objects.ts';
import type { Prober } from './prober.ts';
import { NAMESPACE, PORT } from './workload-objects.ts';

const READY_TIMEOUT_MS = 60_000;
const SETTLE_TIMEOUT_MS = 15_000;

export interface ChurnOptions {
  readonly client: KubeClient;
  /** Where requests come from. */
  readonly from: readonly Source[];
  readonly image?: string;
  readonly seconds: number;
  /** Again and again until the time is over. */
  readonly round: readonly Change[];
  readonly gapMs: number;
  readonly isKill: boolean;
  readonly signal?: AbortSignal;
  readonly onMoment?: (moment: Moment) => void;
}

export interface Churned {
  readonly streams: readonly Stream[];
  readonly moments: readonly Moment[];
}

/** A stream per place, protocol and family. Leaves nothing of its own in the cluster. */
export async function churn(options: ChurnOptions): Promise<Churned> {
  const { client, from, signal } = options;
  await waitGone(client, signal);
  try {
    await client.create(resources.deployments, churnDeployment(START_REPLICAS, options.image));
    const { spec } = await client.create(resources.services, churnService());
    await waitReady(client, START_REPLICAS, signal);
    const addresses = spec?.clusterIPs ?? [];
    const stop = new AbortController();
    const moments: Moment[] = [];
    await settleChurn(from.map(({ prober }) => prober), addresses, signal);
    const loads = loadAll(from, addresses, stop.signal);
    try {
      await act(options, moments);
    } finally {
      stop.abort();
    }
    return { streams: await loads, moments };
  } finally {
    await removeChurn(client);
  }
}

async function act({ seconds, round, gapMs, isKill, signal, onMoment }: ChurnOptions, moments: Moment[]): Promise<void> {
  const end = performance.now() + seconds * 1000;
  const pause = async (ms: number): Promise<void> => { await delay(Math.min(ms, Math.max(0, end - performance.now())), undefined, signal === undefined ? {} : { signal }); };
  for (let turn = 0; performance.now() < end; turn++) {
    const atMs = performance.now();
    const what = await round[turn % round.length]?.();
    if (what === undefined) {
      await pause(100); // nothing to do it to yet
      continue;
    }
    const moment = { atMs, what, isKill };
    moments.push(moment);
    onMoment?.(moment);
    await pause(gapMs);
  }
}

async function poll(what: string, isSo: () => Promise<boolean>, signal: AbortSignal | undefined): Promise<void> {
  const deadline = performance.now() + READY_TIMEOUT_MS;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new LabError('EFAILED', `${what} after ${READY_TIMEOUT_MS / 1000} s; see: kubectl -n ${NAMESPACE} describe pods -l app=${CHURN}`);
    await delay(100, undefined, signal === undefined ? {} : { signal });
  }
}

async function waitReady(client: KubeClient, wanted: number, signal: AbortSignal | undefined): Promise<void> {
  await poll(`the pods of deployment ${NAMESPACE}/${CHURN} are not ready`, async () => ((await client.get(resources.deployments, { namespace: NAMESPACE, name: CHURN })).status?.readyReplicas ?? 0) >= wanted, signal);
}

/** Pods of an earlier run would be endpoints of this one. */
async function waitGone(client: KubeClient, signal: AbortSignal | undefined): Promise<void> {
  await removeChurn(client);
  await poll(`old pods of deployment ${NAMESPACE}/${CHURN} do not go away`, async () => (await churnPods(client)).length === 0, signal);
}

async function settleChurn(probers: readonly Prober[], addresses: readonly string[], signal: AbortSignal | undefined): Promise<void> {
  const deadline = performance.now() + SETTLE_TIMEOUT_MS;
  await Promise.all(probers.flatMap((prober) => addresses.map(async (host) => {
    while (performance.now() < deadline && !(await prober.attempt({ protocol: 'connect', host, port: PORT, timeoutMs: 500 })).ok) await delay(50, undefined, signal === undefined ? {} : { signal });
  })));
}

async function removeChurn(client: KubeClient): Promise<void> {
  for (const resource of [resources.services, resources.deployments]) {
    await client.deleteIfThere(resource, { namespace: NAMESPACE, name: CHURN }, { propagationPolicy: 'Background' });
  }
}
