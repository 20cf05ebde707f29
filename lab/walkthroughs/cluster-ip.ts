import type { Lesson } from './model.ts';
import { hasRule, isDelivered, rewriting, traceStep } from './trace-step.ts';

export const clusterIp: Lesson = {
  name: 'cluster-ip', title: 'Through a cluster IP',
  about: 'A cluster IP is nobody\'s address. The sender\'s node translates it to that of an endpoint, and the answer back.',
  steps: [
    traceStep({
      say: 'No device has a cluster IP. When the first packet of a connection comes out of the pod, rules look it up in a map: address, protocol and port give a Service; the Service gives the number of its endpoints; chance gives one of them; and DNAT writes its address over the cluster IP. Conntrack remembers the pair and translates every answer back, without a rule.',
      predict: 'delivered to an endpoint on node2; one rule changes the destination, and on the way back the source becomes the cluster IP again',
      trace: (stage) => stage.trace(stage.pod(1), stage.service('on-node2')),
      check: (trace) => isDelivered(trace) && trace.where.endsWith('node2') && hasRule(trace, /\bdnat\b/) && trace.reply.some(rewriting) && trace.agrees,
      hops: rewriting,
    }),
    traceStep({
      say: 'The control: a Service that selects no pod. There is no endpoint to be drawn.',
      predict: 'refused at once on the sender\'s own node: the client need not wait for a time-out',
      trace: (stage) => stage.trace(stage.pod(1), stage.service('none')),
      check: ({ verdict, where }) => verdict === 'REJECTED' && where.startsWith('node1/'),
    }),
  ],
};
