import type { Lesson } from './model.ts';
import { hasRule, isDelivered, rewriting, traceStep } from './trace-step.ts';

export const hairpin: Lesson = {
  name: 'hairpin', title: 'A pod calls itself through its Service',
  about: 'The one case in which a pod\'s own address must be hidden from the pod itself.',
  steps: [
    traceStep({
      say: 'The only endpoint of this Service is the caller. After DNAT the packet would go from the pod to the pod: source and destination the same. The pod would answer itself internally, with an address that its connection does not know. So the node takes the source (masquerade), and the bridge may send the packet out of the port by which it came (hairpin mode).',
      predict: 'delivered to the sender itself, source and destination both changed',
      trace: (stage) => stage.trace(stage.pod(1), stage.service('own-node1')),
      check: (trace) => isDelivered(trace) && trace.where.includes('probe-node1-a') && hasRule(trace, /@hairpin.*masquerade/),
      hops: rewriting,
    }),
    traceStep({
      say: 'The control: the same Service, called by its neighbour.',
      predict: 'delivered with the caller\'s own address: no masquerade',
      trace: (stage) => stage.trace(stage.pod(1, 'b'), stage.service('own-node1')),
      check: (trace) => isDelivered(trace) && !hasRule(trace, /masquerade/),
      hops: rewriting,
    }),
  ],
};
