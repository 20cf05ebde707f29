// The API server (with its controllers and scheduler) as a process of the machine's own namespace, listening on the underlay's gateway address.
import { mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { setTimeout as delay } from 'node:timers/promises';
import { isConnectionError, resources } from '@podwire/kube-client';
import { LabError } from '../errors.ts';
import { agentService } from '../nodes/node.ts';
import { ensureService, logTail, runningService } from '../processes/service.ts';
import { nodeName } from '../state/names.ts';
import { podCIDRs, serviceCIDRs, underlayAddresses } from '../state/spec.ts';
import { isReady } from '../status.ts';
import { adminClient } from './client.ts';
import { ensureAdminKubeconfig } from './credentials.ts';
import type { Pki } from '@podwire/apiserver-lite';
import type { LabNames } from '../state/names.ts';
import type { LabSpec } from '../state/spec.ts';

const apiserverMain = fileURLToPath(import.meta.resolve('@podwire/apiserver-lite')).replace(/index\.ts$/u, 'main.ts');
const readyTimeoutMs = 60_000;
/** The agent's node API. */
const kubeletPort = 10_250;

export async function ensureControlPlane(names: LabNames, spec: LabSpec, pki: Pki): Promise<'running' | 'started'> {
  mkdirSync(names.apiserverDir, { recursive: true, mode: 0o700 });
  await ensureAdminKubeconfig(names, spec, pki);
  const { gateway, loadBalancerCIDR, v6 } = underlayAddresses(spec);
  const client = adminClient(names);
  try {
    return await ensureService(names, {
      name: 'apiserver',
      argv: [
        process.execPath, apiserverMain, '--data-dir', names.apiserverDir, '--bind-address', gateway, '--secure-port', String(spec.apiPort),
        '--service-cluster-ip-range', serviceCIDRs(spec).join(','), '--cluster-cidr', podCIDRs(spec).join(','),
        '--load-balancer-cidr', [loadBalancerCIDR, ...(v6 === undefined ? [] : [v6.loadBalancerCIDR])].join(','),
      ],
      ready: async () => {
        try {
          return (await client.raw('/readyz', { signal: AbortSignal.timeout(2000) })).status === 200;
        } catch (error) {
          if (isConnectionError(error) || (error as Error).name === 'TimeoutError') return false;
          throw error;
        }
      },
      readyTimeoutMs: 60_000,
    });
  } finally {
    client.close();
  }
}

/** Whether somebody listens there. */
function accepts(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 1000 });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false)).once('timeout', () => end(false));
  });
}

/** Waits until every node of the lab is Ready; an agent that ended meanwhile is reported with the end of its log. */
export async function waitNodesReady(names: LabNames, spec: LabSpec): Promise<string> {
  const wanted = Array.from({ length: spec.nodes }, (_, at) => nodeName(at + 1));
  const client = adminClient(names);
  try {
    const deadline = performance.now() + readyTimeoutMs;
    for (;;) {
      const { items } = await client.list(resources.nodes, { signal: AbortSignal.timeout(10_000) });
      const ready = new Set(items.filter(isReady).map(({ metadata }) => metadata?.name));
      // A killed agent's node stays Ready in the API for a while: its port tells whether the agent is back.
      const listening = await Promise.all(wanted.map((_, at) => accepts(underlayAddresses(spec).node(at + 1), kubeletPort)));
      const missing = wanted.filter((node, at) => !ready.has(node) || listening[at] === false);
      if (missing.length === 0) return `${wanted.length} nodes`;
      const dead = missing.find((node) => runningService(names, agentService(node)) === undefined);
      if (dead !== undefined) throw new LabError('EFAILED', `the agent of ${dead} ended. The end of its log:\n${logTail(names, agentService(dead))}`);
      if (performance.now() > deadline) {
        throw new LabError('EFAILED', `${missing.join(', ')} not Ready after ${readyTimeoutMs / 1000} s. The end of the agent's log of ${missing[0] ?? ''}:\n${logTail(names, agentService(missing[0] ?? ''))}`);
      }
      await delay(50);
    }
  } finally {
    client.close();
  }
}
