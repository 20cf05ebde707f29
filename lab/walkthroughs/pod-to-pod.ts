import type { Lesson } from './model.ts';
import { hasRule, isDelivered, isTunnelled, traceStep } from './trace-step.ts';

export const podToPod: Lesson = {
  name: 'pod-to-pod', title: 'Pod to pod on one node',
  about: 'Two pods of one node share a bridge. No Service, no tunnel: the shortest way there is.',
  steps: [
    traceStep({
      say: 'A pod has one cable: eth0 inside, and a device of the node at the other end, which is a port of the bridge pw-cni0. A packet to a neighbour on the same node goes through the bridge from cable to cable, as through a switch.',
      predict: 'it arrives; it never leaves the node, and no rule changes it',
      trace: (stage) => stage.trace(stage.pod(1), stage.pod(1, 'b')),
      check: (trace) => isDelivered(trace) && !isTunnelled(trace) && !hasRule(trace, /\bdnat\b|\bmasquerade\b/) && trace.hops.every(({ node }) => node === 'node1'),
      hops: () => true,
    }),
    traceStep({
      say: 'The control: the same way, to a port on which nobody listens. The packet must arrive just as well, and the pod itself must refuse it.',
      predict: 'refused by the pod, not lost on the way',
      trace: (stage) => stage.trace(stage.pod(1), `${stage.pod(1, 'b')}:9999`),
      check: ({ verdict, where }) => verdict === 'REJECTED' && where.includes('probe-node1-b'),
    }),
  ],
};
