import { join } from 'node:path';
import type { Logger } from 'pino';
import { admissions } from './admission/index.ts';
import { staticTokens } from './auth/authenticate.ts';
import { alwaysAllow } from './auth/authorize.ts';
import { serviceAccountTokens } from './auth/service-account-tokens.ts';
import { openAudit } from './audit.ts';
import { bootstrap, firstAddress } from './bootstrap.ts';
import { ClusterCache } from './cache/cluster-cache.ts';
import { customResourceDefinition } from './crd/definition.ts';
import { followCustomResources } from './crd/registrar.ts';
import { listen } from './http/listener.ts';
import type { Listener } from './http/listener.ts';
import { identify, route } from './http/routes.ts';
import type { RouteOptions } from './http/routes.ts';
import { definitions } from './kinds/index.ts';
import { repairClaims } from './repair.ts';
import { startMaintenance } from './maintenance.ts';
import { createMetrics } from './metrics.ts';
import { ensureDataDir, UsageError } from './options.ts';
import type { ApiServerOptions } from './options.ts';
import { createPki, writeKubeconfig } from './pki/pki.ts';
import type { Pair, Pki } from './pki/pki.ts';
import { Registry } from './registry/registry.ts';
import type { RestContext } from './rest/context.ts';
import { openStore } from './store/open-store.ts';
import { rbacAuthorizer } from './rbac/rbac.ts';
import { reviewDefinitions } from './reviews/definitions.ts';
import { reviewHandlers } from './reviews/handlers.ts';
import { growUnderLoad } from './young-generation.ts';
import { subresourceHandlers } from './subresources/handlers.ts';

export type RunningApiServer = Readonly<{
  /** `https://ADDRESS:PORT`, with the advertise address. */
  url: string;
  port: number;
  /** Path of the admin's kubeconfig. */
  kubeconfig: string;
  pki: Pki;
  admin: Pair;
  stop(): Promise<void>;
}>;

/** Starts the API server; resolves when it answers. Throws UsageError for what the caller must mend. */
export async function startApiServer(options: ApiServerOptions, log: Logger, fatal: () => void = () => process.exit(1)): Promise<RunningApiServer> {
  ensureDataDir(options.dataDir);
  const stopping = new AbortController();
  const pki = await createPki(options.dataDir);
  const [serving, kubeletClient, admin] = await Promise.all([
    pki.ensureServingCert('apiserver', { commonName: 'kube-apiserver', names: servingNames(options) }),
    pki.ensureClientCert('apiserver-kubelet-client', { commonName: 'kube-apiserver-kubelet-client', organizations: ['system:masters'] }),
    pki.ensureClientCert('admin', { commonName: 'kubernetes-admin', organizations: ['system:masters'] }),
  ]);
  const store = await openStore(options);
  const cache = new ClusterCache(store);
  const lost = (error: Error): void => {
    if (stopping.signal.aborted) return;
    log.fatal({ err: error }, 'the event stream of the store has ended; the server must start anew');
    fatal();
  };
  await cache.start(lost);
  const registry = new Registry([...definitions, ...reviewDefinitions, customResourceDefinition]);
  const context: RestContext = {
    registry, store, cache, admissions, now: () => Date.now(),
    settings: { serviceClusterIpRanges: options.serviceClusterIpRanges, serviceNodePortRange: options.serviceNodePortRange },
  };
  const unfollow = followCustomResources(context, log);
  const metrics = createMetrics(() => Object.fromEntries(registry.all().map(({ group, plural }) => [group === '' ? plural : `${plural}.${group}`, cache.resource({ group, resource: plural }).size])));
  const everythingAllowed = options.authorizationMode === 'AlwaysAllow';
  const authorize = everythingAllowed ? alwaysAllow : rbacAuthorizer(context);
  const accountTokens = serviceAccountTokens(context, pki.serviceAccountKey);
  const fixedTokens = staticTokens(options.adminToken === undefined ? {} : { [options.adminToken]: { name: 'kubernetes-admin', groups: ['system:masters'] } });
  const reviews = reviewHandlers({ authorize, everythingAllowed, serviceAccountKey: pki.serviceAccountKey, verify: (token, audiences) => fixedTokens(token) ?? accountTokens(token, audiences) });
  let ready = false;
  const audit = openAudit(options.auditLogPath);
  const routes: RouteOptions = {
    context, ready: () => ready, metrics: metrics.text, signal: stopping.signal, authorize, verifiers: [fixedTokens, accountTokens],
    ...subresourceHandlers({ kubeletClient, caCert: pki.caCert, reviews }),
    serverAddress: `${options.advertiseAddress}:${options.securePort}`,
    log: (error, request) => log.error({ err: error, method: request.method, url: request.url }, 'request failed'),
  };
  const busy = growUnderLoad();
  let listener: Listener;
  try {
    listener = await listen({
      host: options.bindAddress, port: options.securePort, serving, caCert: pki.caCert,
      onRequest: async (request, response) => {
        busy();
        const startedMs = Date.now();
        response.once('close', () => {
          const { user, attributes } = identify(request);
          const { verb, resource = '', subresource } = attributes;
          const endedMs = Date.now();
          metrics.observe({ verb, resource: subresource === undefined ? resource : `${resource}/${subresource}`, code: response.statusCode }, (endedMs - startedMs) / 1000);
          audit.write({ request, user, attributes, code: response.statusCode, startedMs, endedMs });
        });
        await route(routes, request, response);
      },
      onUpgrade: (request, response) => route(routes, request, response),
    });
  } catch (error) {
    cache.stop();
    await store.close();
    throw listenError(error, options);
  }
  const url = `https://${options.advertiseAddress.includes(':') ? `[${options.advertiseAddress}]` : options.advertiseAddress}:${listener.port}`;
  await repairClaims(context, log);
  const ensure = (): Promise<void> => bootstrap(context, { advertiseAddress: options.advertiseAddress, securePort: listener.port, roles: !everythingAllowed });
  await ensure();
  startMaintenance(context, ensure, log, stopping.signal);
  ready = true;
  const kubeconfig = options.kubeconfigPath ?? join(options.dataDir, 'kubeconfig');
  writeKubeconfig(kubeconfig, { server: url, caCert: pki.caCert, user: 'kubernetes-admin', client: admin });
  log.info({ url, kubeconfig }, 'API server ready');
  return {
    url, port: listener.port, kubeconfig, pki, admin,
    async stop() {
      ready = false;
      stopping.abort();
      await listener.close();
      unfollow();
      await audit.close();
      cache.stop();
      await store.close();
    },
  };
}

function servingNames(options: ApiServerOptions): string[] {
  const anywhere = options.bindAddress === '0.0.0.0' || options.bindAddress === '::';
  return [...new Set([
    options.advertiseAddress, ...(anywhere ? [] : [options.bindAddress]), '127.0.0.1', 'localhost',
    ...options.serviceClusterIpRanges.map(firstAddress), 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc', 'kubernetes.default.svc.cluster.local',
    ...options.extraNames,
  ])];
}

function listenError(error: unknown, { bindAddress, securePort }: ApiServerOptions): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const at = `${bindAddress}:${securePort}`;
  if (code === 'EADDRINUSE') return new UsageError(`--secure-port: ${at} is in use by another process; stop it or choose another port`, { cause: error });
  if (code === 'EADDRNOTAVAIL') return new UsageError(`--bind-address: this machine has no address ${bindAddress}; use one of its own, or 0.0.0.0`, { cause: error });
  if (code === 'EACCES') return new UsageError(`--secure-port: no permission to listen on ${at}; use a port above 1023 or run as root`, { cause: error });
  return error;
}

