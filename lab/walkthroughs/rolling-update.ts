// Requests without a pause while all pods of a Deployment are replaced, twice: as it should be, and all at once.
import { setTimeout as delay } from 'node:timers/promises';
import { resources } from '@podwire/kube-client';
import { step } from './model.ts';
import type { Lesson } from './model.ts';
import { lessonDeployment, lessonService, LESSON } from './objects.ts';
import { PORT } from './stage.ts';
import type { Stage } from './stage.ts';
import { isReady } from '../status.ts';

interface Load {
  readonly sent: number;
  readonly lost: number;
}

const lines = ({ sent, lost }: Load): readonly string[] => [`${sent} requests, ${lost} lost`];

/** Asks the Service over and over until `change` is done, and a little longer. */
async function underLoad(stage: Stage, change: () => Promise<void>): Promise<Load> {
  await using prober = await stage.prober(stage.pod(1));
  const { spec } = await stage.client.get(resources.services, { namespace: LESSON, name: 'web' });
  const host = spec?.clusterIP ?? '';
  const isOver = new AbortController();
  let sent = 0;
  let lost = 0;
  const load = (async () => {
    while (!isOver.signal.aborted) {
      const { ok } = await prober.attempt({ protocol: 'tcp', host, port: PORT, timeoutMs: 2000 });
      sent += 1;
      if (!ok) lost += 1;
      await delay(20);
    }
  })();
  try {
    await change();
  } finally {
    isOver.abort();
    await load;
  }
  return { sent, lost };
}

export const rollingUpdate: Lesson = {
  name: 'rolling-update', title: 'A rolling update without loss',
  about: 'Why no request is lost when every pod is replaced, and what it takes.',
  steps: [
    step<Load>({
      say: 'Three pods behind a Service, and a client that asks without a pause. The update brings a new pod first and takes an old one only when the new one is ready (maxUnavailable: 0). The old pod leaves the EndpointSlice as soon as it is told to end, and serves on for three seconds: time for every node to hear of it.',
      do: async (stage) => {
        await stage.createService(lessonService('web'));
        await stage.createDeployment(lessonDeployment({ name: 'web', replicas: 3 }));
        await stage.deploymentReady('web');
        await stage.delivered(stage.pod(1), `svc/${LESSON}/web`);
        return `kubectl apply: Deployment and Service web in ${LESSON}; kubectl rollout restart deployment/web`;
      },
      predict: 'no request is lost',
      observe: (stage) => underLoad(stage, async () => {
        await stage.client.patch(resources.deployments, { namespace: LESSON, name: 'web' }, 'merge', { spec: { template: { metadata: { annotations: { 'podwire.io/restarted': 'once' } } } } });
        await stage.deploymentReady('web');
      }),
      show: lines, check: ({ sent, lost }) => sent > 0 && lost === 0,
    }),
    step<Load>({
      say: 'The control: all pods at once, without grace. There is nobody to answer until the new ones are ready; a Service cannot make up for that.',
      do: () => Promise.resolve(`kubectl -n ${LESSON} delete pods -l app=web --grace-period=0`),
      predict: 'requests are lost',
      observe: (stage) => underLoad(stage, async () => {
        const { items } = await stage.client.list(resources.pods, { namespace: LESSON, labelSelector: 'app=web' });
        // One that was still terminating since the rollout before may be gone by now.
        await Promise.all(items.map(({ metadata }) => stage.client.deleteIfThere(resources.pods, { namespace: LESSON, name: metadata?.name ?? '' }, { gracePeriodSeconds: 0 })));
        await stage.until('three new pods are ready', async () => {
          const now = await stage.client.list(resources.pods, { namespace: LESSON, labelSelector: 'app=web' });
          const isNew = now.items.every(({ metadata }) => !items.some((old) => old.metadata?.uid === metadata?.uid));
          return isNew && now.items.filter(isReady).length === 3 ? true : undefined;
        });
      }),
      show: lines, check: ({ lost }) => lost > 0,
    }),
  ],
};
