// What happens after `kubectl apply` of a Deployment, told by the API's own watch streams and the kernel.
import { resources } from '@podwire/kube-client';
import type { EndpointSlice, KubeObject, Pod, ResourceDescriptor } from '@podwire/kube-client';
import { step } from './model.ts';
import type { Lesson } from './model.ts';
import { lessonDeployment, lessonService, LESSON } from './objects.ts';
import type { Stage } from './stage.ts';
import { isReady } from '../status.ts';

interface Moment {
  readonly atMs: number;
  readonly who: string;
  readonly what: string;
}

const hasAddress = ({ endpoints }: EndpointSlice): boolean => endpoints.some(({ conditions }) => conditions?.ready !== false);

/** What a person calls this change, and which component made it; the first time each is seen. */
const tellers: readonly { readonly resource: ResourceDescriptor; readonly tell: (object: KubeObject) => readonly (readonly [string, string])[] }[] = [
  { resource: resources.deployments, tell: () => [['kubectl -> API server', 'stores the Deployment']] },
  { resource: resources.replicaSets, tell: () => [['Deployment controller', 'makes a ReplicaSet for this version of the template']] },
  { resource: resources.pods, tell: (object) => {
    const pod = object as Pod;
    return [
      ['ReplicaSet controller', 'makes the pod; it is on no node yet'],
      ...(pod.spec?.nodeName === undefined ? [] : [['scheduler', 'binds the pod to a node'] as const]),
      ...(pod.status?.podIP === undefined ? [] : [['agent', 'has started the pod: the CNI plugin gave it an address'] as const]),
      ...(isReady(pod) ? [['agent', 'found the pod ready (readiness probe)'] as const] : []),
    ];
  } },
  { resource: resources.endpointSlices, tell: (object) => (hasAddress(object as EndpointSlice) ? [['EndpointSlice controller', "adds the pod to the Service's slice"]] : []) },
];

/** Follows all kinds at once until `isDone`. Watches begin where the lists end, so nothing is missed between. */
async function follow(stage: Stage, begin: () => Promise<void>, isDone: (moments: readonly Moment[]) => Promise<boolean>): Promise<readonly Moment[]> {
  const moments: Moment[] = [];
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, stage.signal]);
  const started = performance.now();
  const note = (who: string, what: string): void => {
    if (!moments.some((one) => one.what === what)) moments.push({ atMs: performance.now() - started, who, what });
  };
  const watches = await Promise.all(tellers.map(async ({ resource, tell }) => {
    const { resourceVersion } = await stage.client.list(resource, { namespace: LESSON });
    return { events: stage.client.watch(resource, { namespace: LESSON, resourceVersion, signal }), tell };
  }));
  const running = watches.map(async ({ events, tell }) => {
    try {
      for await (const { type, object } of events) if (type === 'ADDED' || type === 'MODIFIED') for (const [who, what] of tell(object)) note(who, what);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  });
  try {
    // The streams are open once the server has answered; what comes before is sent from the list's version on.
    await begin();
    await stage.until('the last component has done its part', async () => ((await isDone(moments)) ? true : undefined));
    return moments;
  } finally {
    end.abort();
    await Promise.all(running);
  }
}

/** Whether node1's rules translate the cluster IP: then its proxy has done its part. */
async function isInKernel(stage: Stage, clusterIP: string): Promise<boolean> {
  const trace = await stage.trace(stage.pod(1), `svc/${LESSON}/shop`);
  return trace.verdict === 'DELIVERED' && trace.hops.some(({ rule, before }) => rule !== undefined && before.includes(clusterIP));
}

const order = ['stores the Deployment', 'makes a ReplicaSet for this version of the template', 'makes the pod; it is on no node yet', 'binds the pod to a node', 'has started the pod: the CNI plugin gave it an address', 'found the pod ready (readiness probe)', "adds the pod to the Service's slice", 'translates the cluster IP to the pod'];

const isInOrder = (moments: readonly Moment[]): boolean => {
  const places = order.map((what) => moments.findIndex((one) => one.what === what));
  // Ready and slice are two watches: which of the two is heard first says nothing.
  const free = new Set(['found the pod ready (readiness probe)', "adds the pod to the Service's slice"]);
  const strict = order.map((what, index) => ({ what, at: places[index] ?? -1 })).filter(({ what }) => !free.has(what));
  return places.every((at) => at >= 0) && strict.every(({ at }, index) => index === 0 || at > (strict[index - 1]?.at ?? -1));
};

const show = (moments: readonly Moment[]): readonly string[] => moments.map(({ atMs, who, what }) => `${atMs.toFixed(0).padStart(6)} ms  ${who} ${what}`);

export const applyDeployment: Lesson = {
  name: 'apply-deployment', title: 'What happens when you kubectl apply a Deployment',
  about: 'Nobody gives orders. Each component watches the API for its own kind of work, does it, and writes down what it did; that is the next one\'s work.',
  steps: [
    step<readonly Moment[]>({
      say: 'A Service without pods is there already. Now a Deployment of one pod is stored, and the API is watched: each change, the component that made it, and when.',
      do: async (stage) => {
        await stage.createService(lessonService('shop'));
        return `kubectl -n ${LESSON} get deployments,replicasets,pods,endpointslices --watch; kubectl apply: Deployment shop`;
      },
      predict: `in this order: ${order.join('; ')}`,
      observe: async (stage) => {
        const { spec } = await stage.client.get(resources.services, { namespace: LESSON, name: 'shop' });
        const clusterIP = spec?.clusterIP ?? '';
        const started = performance.now();
        const moments = await follow(stage, () => stage.createDeployment(lessonDeployment({ name: 'shop', replicas: 1 })), (seen) => Promise.resolve(order.slice(0, -1).every((what) => seen.some((one) => one.what === what))));
        await stage.until('the proxy has done its part', async () => ((await isInKernel(stage, clusterIP)) ? true : undefined));
        return [...moments, { atMs: performance.now() - started, who: 'proxy', what: 'translates the cluster IP to the pod' }];
      },
      show, check: isInOrder,
    }),
    step<readonly Moment[]>({
      say: 'The control: a Deployment whose pod may run on no node (its nodeSelector fits none). The chain must stop at the scheduler, and say why.',
      do: () => Promise.resolve('kubectl apply: Deployment nowhere, with nodeSelector {lesson: nowhere}'),
      predict: 'the pod is made and stays Pending; an event says that no node fits',
      observe: (stage) => follow(stage, () => stage.createDeployment(lessonDeployment({ name: 'nowhere', replicas: 1, nodeSelector: { lesson: 'nowhere' } })), async (seen) => {
        const { items } = await stage.client.list(resources.pods, { namespace: LESSON, labelSelector: 'app=nowhere' });
        const refused = items.some(({ status }) => status?.conditions?.some(({ type, status: value, reason }) => type === 'PodScheduled' && value === 'False' && reason === 'Unschedulable'));
        return refused && seen.length > 2;
      }),
      show, check: (moments) => moments.some(({ who }) => who === 'ReplicaSet controller') && !moments.some(({ who }) => who === 'scheduler'),
    }),
  ],
};
