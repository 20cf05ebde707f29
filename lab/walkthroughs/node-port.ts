import type { Lesson } from './model.ts';
import { hasRule, isDelivered, rewriting, traceStep } from './trace-step.ts';

export const nodePort: Lesson = {
  name: 'node-port', title: 'Through a node port, with both traffic policies',
  about: 'Policy Cluster serves at every node and hides the client; policy Local keeps the client\'s address and serves only where an endpoint is.',
  steps: [
    traceStep({
      say: 'A Service whose endpoints are all on node1, asked at node2 from outside, policy Cluster (the default). node2 sends the packet on to node1. If node1 answered the client directly, the client would not know the answer: it asked node2. So node2 also puts its own address as the source (masquerade).',
      predict: 'delivered on node1; destination and source are changed on node2',
      trace: async (stage) => stage.trace('outside', `${stage.nodeAddress(2)}:${await stage.nodePort('on-node1')}`),
      check: (trace) => isDelivered(trace) && trace.where.endsWith('node1') && hasRule(trace, /\bdnat\b/) && hasRule(trace, /\bmasquerade\b/),
      hops: rewriting,
    }),
    traceStep({
      say: 'Policy Local, asked at node1, where the endpoints are: nothing needs to come back another way, so the source is left as it is. The pod sees the real client.',
      predict: 'delivered on node1 without masquerade',
      trace: async (stage) => stage.trace('outside', `${stage.nodeAddress(1)}:${await stage.nodePort('local')}`),
      check: (trace) => isDelivered(trace) && trace.where.endsWith('node1') && !hasRule(trace, /\bmasquerade\b/),
      hops: rewriting,
    }),
    traceStep({
      say: 'The control: the same Service asked at node2, which has no endpoint. A load balancer in front would find out by the health check port and not send anything there.',
      predict: 'dropped at node2: policy Local, and no endpoint there',
      trace: async (stage) => stage.trace('outside', `${stage.nodeAddress(2)}:${await stage.nodePort('local')}`),
      check: ({ verdict, where, reason }) => verdict === 'DROPPED' && where.startsWith('node2/') && reason.includes('policy Local'),
    }),
  ],
};
