// @podwire/agent: the node agent. The lab starts it as a process (`agentMain` with flags, or `./podwire agent`); tests may start it in-process.
import { fileURLToPath } from 'node:url';
import type { startAgent as Start } from './agent.ts';

export { labels, containerName } from './labels.ts';
export type { ContainerRole, PodIdentity } from './labels.ts';
export { agentArguments, parseAgentConfig } from './config.ts';
export type { AgentConfig, AgentConfigInput } from './config.ts';
export type { ContainerRuntime } from './runtime/runtime.ts';
export type { RunningAgent } from './agent.ts';

/** The agent in this process. Loaded when called: who needs only names and flags need not wait for it. */
export const startAgent: typeof Start = async (...args) => (await import('./agent.ts')).startAgent(...args);

/** Flags for the Node that runs it: a small young generation and one helper thread save 30 MB per node and cost nothing that can be measured here. */
export const agentNodeFlags: readonly string[] = ['--max-semi-space-size=1', '--v8-pool-size=1'];

/** The program to run as `node agentMain --flags`; `agentArguments(config)` gives the flags. */
export const agentMain: string = fileURLToPath(new URL('main.ts', import.meta.url));
