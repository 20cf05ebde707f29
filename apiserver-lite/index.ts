// @podwire/apiserver-lite: the control plane, for the lab and for tests. See README.md.
import { defaultOptions } from './options.ts';
import type { ApiServerOptions } from './options.ts';
import type { startParts as Start } from './parts.ts';
import type { RunningApiServer } from './server.ts';

export { createPki, kubeconfigText, writeKubeconfig } from './pki/pki.ts';
export type { ClientRequest, KubeconfigOptions, Pair, Pki, ServingRequest } from './pki/pki.ts';
export { UsageError } from './options.ts';
export type { ApiServerOptions } from './options.ts';
export type { RunningApiServer } from './server.ts';

/** Only the data directory has no default. `advertiseAddress` defaults to the bind address. */
export type StartOptions = Partial<ApiServerOptions> & Pick<ApiServerOptions, 'dataDir'> & Readonly<{ log?: Parameters<typeof Start>[2] }>;

/**
 * The API server in this process, with controllers and scheduler unless `controllers: false`.
 * `stop` ends everything and leaves the data. Throws UsageError (port in use, bad CIDR, unwritable directory).
 */
export async function startApiServer({ log: givenLog, ...given }: StartOptions): Promise<RunningApiServer> {
  // Loaded when called: who needs only the certificates need not wait for the whole server.
  const [{ startApiServer: start }, { startParts }, { createLog }] = await Promise.all([import('./server.ts'), import('./parts.ts'), import('./log.ts')]);
  const log = givenLog ?? createLog();
  const options: ApiServerOptions = { ...defaultOptions, advertiseAddress: given.bindAddress ?? defaultOptions.bindAddress, ...given };
  const server = await start(options, log);
  if (!options.controllers) return server;
  const stopping = new AbortController();
  const parts = await startParts(server, options, log, stopping.signal);
  return {
    ...server,
    async stop() {
      stopping.abort();
      await parts.stopped;
      await server.stop();
    },
  };
}
