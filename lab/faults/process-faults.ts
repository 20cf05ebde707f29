// Programs that end or stand still, and nodes that go with all that runs on them.
import { dockerClient, ifFound } from '../engine/client.ts';
import { labels } from '@podwire/agent';
import { LabError } from '../errors.ts';
import { agentService } from '../nodes/node.ts';
import { clusterFilter } from '../nodes/node-container.ts';
import { runningService, stopService } from '../processes/service.ts';
import { endProcesses, sendSignal } from '../processes/signal.ts';
import type { Fault, FaultContext } from './model.ts';

const nothing = (): Promise<void> => Promise.resolve();
const noState = (): Promise<Readonly<Record<string, string>>> => Promise.resolve({});

/** kill -9 of a part of the lab; `up` starts it again. */
function kill(name: string, summary: string, services: (node: string) => readonly string[], uses: Fault['uses'] = []): Fault {
  return {
    name, summary, uses, undoneByUp: true,
    observe({ lab }) {
      if (name === 'kill-engine' && lab.spec.engine?.kind !== 'private') throw new LabError('EUSAGE', 'kill-engine: this lab uses an engine that is not its own, and others may need it; bring up a lab with: podwire up --docker-host private');
      return noState();
    },
    async apply({ lab: { names } }, { node }) {
      await endProcesses(services(node).map((service) => runningService(names, service)).filter((process) => process !== undefined), 0);
    },
    undo: nothing,
  };
}

export const killApiserver = kill('kill-apiserver', 'the API server is killed (kill -9)', () => ['apiserver']);
export const killAgent = kill('kill-agent', 'the agent of NODE is killed (kill -9); its pods live on', (node) => [agentService(node)], ['node']);
export const killEngine = kill('kill-engine', 'the Docker engine is killed (kill -9); the pods live on', () => ['dockerd', 'containerd']);

/** Ends the agent first: it would start again what ends here. */
async function endNode({ lab }: FaultContext, node: string, graceSeconds: number): Promise<void> {
  const { names, spec } = lab;
  await stopService(names, agentService(node), graceSeconds * 1000);
  if (spec.engine === undefined) return;
  const docker = dockerClient(spec.engine.host);
  const list = await docker.listContainers({ filters: { label: [clusterFilter(names), `${labels.node}=${node}`] } });
  await Promise.all(list.map(async ({ Id }) => {
    try {
      await ifFound(graceSeconds > 0 ? docker.getContainer(Id).stop({ t: graceSeconds }) : docker.getContainer(Id).kill());
    } catch (error) {
      // 304, 409: it ended by itself meanwhile.
      if (![304, 409].includes((error as { readonly statusCode?: number }).statusCode ?? 0)) throw error;
    }
  }));
}

export const nodeStop: Fault = {
  name: 'node-stop', summary: 'NODE is shut down: agent and containers are asked to end', uses: ['node'], undoneByUp: true,
  observe: noState, apply: async (context, { node }) => endNode(context, node, 2), undo: nothing,
};

export const nodeKill: Fault = {
  name: 'node-kill', summary: 'NODE loses its power: agent and containers are killed', uses: ['node'], undoneByUp: true,
  observe: noState, apply: async (context, { node }) => endNode(context, node, 0), undo: nothing,
};

/** SIGSTOP: it is there and does nothing, as a program that hangs. */
function standStill(name: string, summary: string): Fault {
  return {
    name, summary, uses: ['node'],
    observe: noState,
    apply({ lab: { names } }, { node }) {
      const agent = runningService(names, agentService(node));
      if (agent === undefined) throw new LabError('EFAILED', `the agent of ${node} does not run; start it with: podwire up`);
      sendSignal(agent, 'SIGSTOP');
      return nothing();
    },
    undo({ lab: { names } }, { node }) {
      const agent = runningService(names, agentService(node));
      if (agent !== undefined) sendSignal(agent, 'SIGCONT');
      return nothing();
    },
  };
}

export const agentStop = standStill('agent-stop', 'the agent of NODE stands still (SIGSTOP): Services and pods there change no more');
export const staleConntrack = standStill('stale-conntrack', 'the agent of NODE stands still, so that UDP flows of its pods keep an endpoint that has gone: send from a fixed port, delete the endpoint, send again');
