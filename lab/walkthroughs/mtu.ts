import type { Lesson } from './model.ts';
import { isDelivered, traceStep } from './trace-step.ts';

const sized = (size: number) => ({ protocol: 'udp', size } as const);

export const mtu: Lesson = {
  name: 'mtu', title: 'A packet that is too big',
  about: 'Small packets pass and large ones vanish: the signature of a wrong MTU.',
  steps: [
    traceStep({
      say: 'A tunnel costs 50 bytes, so the pods\' MTU is the underlay\'s less 50. Whoever sets it by hand and wrong gets this lesson. First, 1300 bytes that must not be fragmented.',
      predict: 'delivered', trace: (stage) => stage.trace(stage.pod(1), stage.pod(2), sized(1300)), check: isDelivered,
    }),
    traceStep({
      say: 'node1\'s VXLAN device now takes 1000 bytes only; the pod believes in 1450.',
      do: (stage) => stage.fault('mtu', { node: 'node1', mtu: 1000 }),
      predict: 'dropped on node1, with PKT_TOO_BIG and the size that would pass',
      trace: (stage) => stage.trace(stage.pod(1), stage.pod(2), sized(1300)),
      check: ({ verdict, where, reason }) => verdict === 'DROPPED' && where.startsWith('node1/') && reason.includes('1000 bytes'),
    }),
    traceStep({
      say: 'The control: 500 bytes by the same way. A ping would say that all is well.',
      predict: 'delivered', trace: (stage) => stage.trace(stage.pod(1), stage.pod(2), sized(500)), check: isDelivered,
    }),
    traceStep({ say: 'Repair.', do: (stage) => stage.undo(), predict: 'delivered', trace: (stage) => stage.delivered(stage.pod(1), stage.pod(2), sized(1300)), check: isDelivered }),
  ],
};
