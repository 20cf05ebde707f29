import { resources } from '@podwire/kube-client';
import type { Lesson } from './model.ts';
import { lessonPod, lessonService, LESSON } from './objects.ts';
import { isDelivered, traceStep } from './trace-step.ts';

const flow = { protocol: 'udp', sourcePort: 40_777 } as const;
const target = `svc/${LESSON}/echo`;

export const staleConntrack: Lesson = {
  name: 'stale-conntrack', title: 'UDP and stale conntrack',
  about: 'UDP has no end of a connection. Who sends from the same port goes on to the old endpoint, until somebody deletes the conntrack entry.',
  steps: [
    traceStep({
      say: 'A UDP flow through a Service with one endpoint, echo-1. Its first datagram makes a conntrack entry on the client\'s node; the following ones do not meet the Service rules at all.',
      do: async (stage) => {
        await stage.createService(lessonService('echo'));
        await stage.createPod(lessonPod('echo-1', 'echo', 'node2'));
        return `kubectl apply: Service and pod echo-1 in ${LESSON}`;
      },
      predict: 'delivered to echo-1',
      trace: (stage) => stage.delivered(stage.pod(1), target, flow),
      check: (trace) => isDelivered(trace) && trace.where.includes('echo-1'),
    }),
    traceStep({
      say: 'echo-1 goes and echo-2 comes, while the agent of node1 stands still: it does not hear of it, so nobody deletes the entry.',
      do: async (stage) => {
        const command = await stage.fault('stale-conntrack', { node: 'node1' });
        await stage.client.delete(resources.pods, { namespace: LESSON, name: 'echo-1' });
        await stage.createPod(lessonPod('echo-2', 'echo', 'node2'));
        return `${command}; kubectl -n ${LESSON} delete pod echo-1; kubectl apply: echo-2`;
      },
      predict: 'lost: the flow still goes to the address of echo-1',
      trace: (stage) => stage.trace(stage.pod(1), target, flow),
      check: ({ verdict, reason }) => verdict === 'DROPPED' && reason.includes('stale UDP conntrack'),
    }),
    traceStep({
      say: 'The agent runs again. It hears of the change, corrects the rows and deletes UDP entries that lead to endpoints which are no more.',
      do: (stage) => stage.undo(),
      predict: 'the same flow, from the same port, is delivered to echo-2',
      trace: (stage) => stage.delivered(stage.pod(1), target, flow),
      check: (trace) => isDelivered(trace) && trace.where.includes('echo-2'),
    }),
  ],
};
