import { parseKubeconfig, KubeClient } from '@podwire/kube-client';
import { readFileSync } from 'node:fs';
import type { Logger } from 'pino';
import type { ApiServerOptions } from './options.ts';
import type { RunningApiServer } from './server.ts';

/**
 * Controllers and scheduler in this process, as two ordinary API clients over HTTPS: they would work
 * the same from anywhere else. Resolves when both have stopped after `signal`.
 */
export async function startParts(server: RunningApiServer, options: ApiServerOptions, log: Logger, signal: AbortSignal): Promise<{ stopped: Promise<unknown> }> {
  const [{ startControllers }, { startScheduler }] = await Promise.all([import('./controllers/index.ts'), import('./scheduler/index.ts')]);
  const access = parseKubeconfig(readFileSync(server.kubeconfig, 'utf8'));
  const controllers = startControllers({
    client: new KubeClient(access, { userAgent: 'podwire-controllers' }), signal, log,
    settings: { clusterCidrs: options.clusterCidrs, rootCa: server.pki.caCert, ...(options.loadBalancerCidrs && { loadBalancerCidrs: options.loadBalancerCidrs }) },
  });
  const scheduler = startScheduler({ client: new KubeClient(access, { userAgent: 'podwire-scheduler' }), signal, log });
  return { stopped: Promise.all([controllers.stopped, scheduler.stopped]) };
}
