import type { Lesson } from './model.ts';
import { isDelivered, isTunnelled, traceStep } from './trace-step.ts';

export const acrossNodes: Lesson = {
  name: 'across-nodes', title: 'Pod to pod across nodes, over VXLAN',
  about: 'The other node is found by three entries: a route, a neighbour and an FDB entry. Each is necessary.',
  steps: [
    traceStep({
      say: "The nodes' own network knows nothing of pod addresses. So node1 puts the packet into a UDP datagram to node2 (VXLAN), and node2 takes it out again. The route says: out of pw-vxlan; the neighbour entry says which MAC; the FDB entry says behind which node that MAC is.",
      predict: 'it arrives, wrapped between the nodes and unchanged inside',
      trace: (stage) => stage.trace(stage.pod(1), stage.pod(2)),
      check: (trace) => isDelivered(trace) && isTunnelled(trace),
      hops: ({ stage }) => stage === 'encapsulate' || stage === 'decapsulate',
    }),
    traceStep({
      say: 'Take the FDB entry away. Route and neighbour are still there, so the packet comes as far as pw-vxlan.',
      do: (stage) => stage.fault('drop-fdb', { node: 'node1', peer: 'node2' }),
      predict: 'dropped at node1/pw-vxlan, with the kernel\'s reason NO_TX_TARGET',
      trace: (stage) => stage.trace(stage.pod(1), stage.pod(2)),
      check: ({ verdict, where, reason }) => verdict === 'DROPPED' && where === 'node1/pw-vxlan' && reason.startsWith('NO_TX_TARGET'),
    }),
    traceStep({
      say: 'Put it back and take the route away instead: now the packet does not even come to the tunnel.',
      do: async (stage) => `${await stage.undo()}; ${await stage.fault('no-route', { node: 'node1', peer: 'node2' })}`,
      predict: 'dropped at node1: no route',
      trace: (stage) => stage.trace(stage.pod(1), stage.pod(2)),
      check: ({ verdict, where, reason }) => verdict === 'DROPPED' && where === 'node1' && reason.includes('no route'),
    }),
    traceStep({
      say: 'Repair. The agent writes the entries from the Node list; told to look after them again, it also would have repaired them by itself.',
      do: (stage) => stage.undo(), predict: 'it arrives', trace: (stage) => stage.delivered(stage.pod(1), stage.pod(2)), check: isDelivered,
    }),
  ],
};
