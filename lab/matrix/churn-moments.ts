// What is done to the endpoints, round after round: changes that a workload must survive without a loss, and kills, which nobody can hide.
import type { KubeClient, Pod } from '@podwire/kube-client';
import { resources } from '@podwire/kube-client';
import { CHURN } from './churn-objects.ts';
import type { Places } from './places.ts';
import { NAMESPACE } from './workload-objects.ts';

export const START_REPLICAS = 3;

/** Something that was done to the endpoints, and when. */
export interface Moment {
  readonly atMs: number;
  readonly what: string;
  /** A request may be lost to it. */
  readonly isKill: boolean;
}

/** One of a round: does it, and says what. Undefined: there was nothing to do it to. */
export type Change = () => Promise<string | undefined>;

export async function churnPods(client: KubeClient): Promise<readonly Pod[]> {
  return (await client.list(resources.pods, { namespace: NAMESPACE, labelSelector: `app=${CHURN}` })).items;
}

/** Pods that serve, the longest-lived first. */
async function serving(client: KubeClient): Promise<readonly string[]> {
  const pods = (await churnPods(client)).filter(({ metadata, status }) => metadata?.deletionTimestamp === undefined && status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true);
  return pods.sort((a, b) => ((a.metadata?.creationTimestamp ?? '') < (b.metadata?.creationTimestamp ?? '') ? -1 : 1)).map(({ metadata }) => metadata?.name ?? '');
}

/** Scaled up and down, a pod deleted, all of them rolled: each pod is asked to stop, and serves on while it does. */
export function gentleRound(client: KubeClient): readonly Change[] {
  const name = { namespace: NAMESPACE, name: CHURN };
  const scale = (replicas: number): Change => async () => {
    await client.patch(resources.deployments, name, 'merge', { spec: { replicas } });
    return `scale to ${replicas}`;
  };
  return [
    scale(6),
    async () => {
      const [victim] = await serving(client);
      if (victim === undefined) return undefined;
      await client.delete(resources.pods, { namespace: NAMESPACE, name: victim });
      return `delete pod ${victim}`;
    },
    scale(2),
    async () => {
      await client.patch(resources.deployments, name, 'merge', { spec: { template: { metadata: { annotations: { 'probe.podwire.io/turn': String(performance.now()) } } } } });
      return 'rolling update';
    },
    scale(START_REPLICAS),
  ];
}

/** Without a goodbye: a pod deleted by force, and where it can be done, a container's process killed. */
export function killRound(client: KubeClient, { killPod }: Places): readonly Change[] {
  const byForce: Change = async () => {
    const [victim] = await serving(client);
    if (victim === undefined) return undefined;
    await client.delete(resources.pods, { namespace: NAMESPACE, name: victim }, { gracePeriodSeconds: 0 });
    return `delete pod ${victim} by force`;
  };
  if (killPod === undefined) return [byForce];
  const crash: Change = async () => {
    const [victim] = await serving(client);
    if (victim === undefined) return undefined;
    await killPod(NAMESPACE, victim);
    return `kill -9 in pod ${victim}`;
  };
  return [crash, byForce];
}
