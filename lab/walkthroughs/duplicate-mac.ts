import type { Lesson } from './model.ts';
import { isDelivered, traceStep } from './trace-step.ts';

export const duplicateMac: Lesson = {
  name: 'duplicate-mac', title: 'Two VXLAN devices with one MAC',
  about: 'What happens on machines that were cloned together with their machine-id, from which the system derives MAC addresses.',
  steps: [
    traceStep({
      say: 'Each node\'s VXLAN device has a MAC of its own; here it follows from the node\'s name. In the tunnel it is the sender\'s and the receiver\'s address.',
      predict: 'delivered', trace: (stage) => stage.trace(stage.pod(1), stage.pod(2)), check: isDelivered,
    }),
    traceStep({
      say: 'node1 gets the MAC of node2. The datagram still reaches node2, which opens it and finds a frame that seems to come from itself: a loop, as it must believe.',
      do: (stage) => stage.fault('duplicate-vxlan-mac', { node: 'node1', peer: 'node2' }),
      predict: 'dropped, and both devices are named',
      trace: (stage) => stage.trace(stage.pod(1), stage.pod(2)),
      check: ({ verdict, where }) => verdict === 'DROPPED' && where.includes('node1/pw-vxlan') && where.includes('node2/pw-vxlan'),
    }),
    traceStep({
      say: 'The control: pods of the same node do not use the tunnel.',
      predict: 'delivered', trace: (stage) => stage.trace(stage.pod(1), stage.pod(1, 'b')), check: isDelivered,
    }),
    traceStep({ say: 'Repair.', do: (stage) => stage.undo(), predict: 'delivered', trace: (stage) => stage.delivered(stage.pod(1), stage.pod(2)), check: isDelivered }),
  ],
};
