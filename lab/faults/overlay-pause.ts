// The agent heals what somebody breaks. To break it for longer, its overlay is told to look away by an annotation; it says in the
// Node's condition NetworkUnavailable when it does, and when it has put everything right again.
import { setTimeout as delay } from 'node:timers/promises';
import { isNotFound, resources } from '@podwire/kube-client';
import type { KubeClient } from '@podwire/kube-client';
import { LabError } from '../errors.ts';
import { agentService } from '../nodes/node.ts';
import { runningService } from '../processes/service.ts';
import type { LabNames } from '../state/names.ts';
import { isStopped } from './process-state.ts';

const ANNOTATION = 'podwire.io/overlay-paused';
const reasons = { paused: 'PodwireOverlayIsPaused', working: 'PodwireOverlayIsUp' } as const;
const deadlineMs = 20_000;

export interface PauseInput {
  readonly client: KubeClient;
  readonly names: LabNames;
  readonly node: string;
  readonly state: keyof typeof reasons;
}

/** kubectl annotate node NODE podwire.io/overlay-paused=true (or with "-"), and waits until its agent says so. */
export async function setOverlay({ client, names, node, state }: PauseInput): Promise<void> {
  try {
    await client.patch(resources.nodes, { name: node }, 'merge', { metadata: { annotations: { [ANNOTATION]: state === 'paused' ? 'true' : null } } });
  } catch (error) {
    // A node that is no more has nothing to look away from.
    if (isNotFound(error)) return;
    throw error;
  }
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    const { status } = await client.get(resources.nodes, { name: node });
    if (status?.conditions?.find(({ type }) => type === 'NetworkUnavailable')?.reason === reasons[state]) return;
    // Who does not run looks nowhere; it reads the annotation when it starts.
    const agent = runningService(names, agentService(node));
    if (agent === undefined || isStopped(agent.pid)) return;
    if (performance.now() > deadline) throw new LabError('EFAILED', `${node}: its agent did not ${state === 'paused' ? 'stop' : 'resume'} looking after the overlay within ${deadlineMs / 1000} s; see ${names.logDir}/${agentService(node)}.log`);
    await delay(20);
  }
}
