import type { Lesson } from './model.ts';
import { isDelivered, traceStep } from './trace-step.ts';

export const bridgeNf: Lesson = {
  name: 'bridge-nf', title: 'bridge-nf-call-iptables is off',
  about: 'Why a Service fails only between pods of the same node, and only sometimes.',
  steps: [
    traceStep({
      say: 'Client and endpoint are on the same bridge. The request goes up to the node (its destination is the cluster IP) and is translated there. The answer is addressed to the neighbour: the bridge could deliver it without the node ever seeing it. net.bridge.bridge-nf-call-iptables=1 makes bridged packets pass conntrack all the same.',
      predict: 'delivered, and answered',
      trace: (stage) => stage.trace(stage.pod(1, 'b'), stage.service('own-node1')), check: isDelivered,
    }),
    traceStep({
      say: 'Switch it off.',
      do: (stage) => stage.fault('bridge-nf-off', { node: 'node1' }),
      predict: 'the request arrives; its answer comes from the pod\'s address instead of the cluster IP, and the client does not know it',
      trace: (stage) => stage.trace(stage.pod(1, 'b'), stage.service('own-node1')),
      check: ({ verdict, reason }) => verdict === 'DROPPED' && reason.includes('bridge-nf-call-iptables is off'),
    }),
    traceStep({
      say: 'The control: with the switch still off, the same client asks an endpoint on another node. That answer comes in through the tunnel and passes the node anyway.',
      predict: 'delivered: this fault hits one node\'s own neighbours only, which is why it is so hard to find',
      trace: (stage) => stage.trace(stage.pod(1, 'b'), stage.service('on-node2')), check: isDelivered,
    }),
    traceStep({
      say: 'Repair.', do: (stage) => stage.undo(), predict: 'delivered',
      trace: (stage) => stage.delivered(stage.pod(1, 'b'), stage.service('own-node1')), check: isDelivered,
    }),
  ],
};
