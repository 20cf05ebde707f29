import type { Lesson } from './model.ts';
import { isDelivered, traceStep } from './trace-step.ts';

export const rpFilter: Lesson = {
  name: 'rp-filter', title: 'rp_filter and the way back',
  about: 'A node may refuse a packet because of where its answer would go.',
  steps: [
    traceStep({
      say: 'With rp_filter=1 the kernel asks for each packet: if I answered, would the answer leave by the device that this came in by? If not, it drops the packet, in silence. Here node2 is strict, and its route to node1\'s pods leads out of eth0 while their packets come out of the tunnel.',
      do: (stage) => stage.fault('rp-filter', { node: 'node2', peer: 'node1' }),
      predict: 'dropped at node2/pw-vxlan, with the kernel\'s reason IP_RPFILTER',
      trace: (stage) => stage.trace(stage.pod(1), stage.pod(2)),
      check: ({ verdict, where, reason }) => verdict === 'DROPPED' && where === 'node2/pw-vxlan' && reason.includes('IP_RPFILTER'),
    }),
    traceStep({
      say: 'The control: the same odd route, but the check is off (rp_filter=0). Ways need not be symmetric to work.',
      do: async (stage) => {
        await stage.setSysctl(2, 'net.ipv4.conf.all.rp_filter', '0');
        return './podwire node node2 -- sysctl -w net.ipv4.conf.all.rp_filter=0';
      },
      predict: 'delivered; the answer comes back without the tunnel',
      trace: (stage) => stage.trace(stage.pod(1), stage.pod(2)),
      check: (trace) => isDelivered(trace) && !trace.reply.some(({ stage }) => stage === 'encapsulate'),
    }),
    traceStep({ say: 'Repair.', do: (stage) => stage.undo(), predict: 'delivered, by the tunnel both ways', trace: (stage) => stage.delivered(stage.pod(1), stage.pod(2)), check: (trace) => isDelivered(trace) && trace.reply.some(({ stage }) => stage === 'encapsulate') }),
  ],
};
