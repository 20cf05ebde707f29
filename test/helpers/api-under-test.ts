// Which API server the tests of the proxy run against: a fake one that admits everything; ours; or the real kube-apiserver. The files
// in test/conformance set it, then import the same tests.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClusterAccess } from '@podwire/kube-client';
import { fakeClusterApi, remoteClusterApi } from '../../proxy/testing/cluster-api.ts';
import type { ClusterApi, RemoteServer } from '../../proxy/testing/cluster-api.ts';
import { absence } from '../../scripts/peers/binaries.ts';
import { KubeApiServer } from '../../scripts/peers/kube-apiserver.ts';

export type ApiUnderTest = 'fake' | 'apiserver-lite' | 'kube-apiserver';
const VARIABLE = 'PODWIRE_TEST_API';

export const apiUnderTest = (): ApiUnderTest => (process.env[VARIABLE] ?? 'fake') as ApiUnderTest;
export function chooseApiUnderTest(api: ApiUnderTest): void { process.env[VARIABLE] = api; }

/** Why this one cannot be started here. */
export const cannotStart = (api: ApiUnderTest): string | undefined => (api === 'kube-apiserver' ? absence('kube-apiserver') : undefined);

const serviceCIDRs = ['10.96.0.0/16', 'fd96::/112'];

/** In the namespace that the caller is in. */
export async function startApiUnderTest(): Promise<ClusterApi> {
  return apiUnderTest() === 'fake' ? fakeClusterApi() : remoteClusterApi(await startServerUnderTest());
}

/** The real one where it is chosen, else ours: without controllers, both. */
export function startServerUnderTest(): Promise<RemoteServer> { return apiUnderTest() === 'kube-apiserver' ? real() : ours(); }

async function real(): Promise<RemoteServer> {
  const server = await KubeApiServer.start({ serviceCIDRs, advertiseAddress: '192.168.77.1' });
  return {
    admin: server.access('admin'), proxy: server.access('system:kube-proxy'),
    restart: () => server.restart(), compact: () => server.compact(),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

async function ours(): Promise<RemoteServer> {
  // Loaded only when asked for: most tests use the fake.
  const [{ startApiServer }, { pino }] = await Promise.all([import('../../apiserver-lite/index.ts'), import('pino')]);
  const dataDir = mkdtempSync(join(tmpdir(), 'pw-api-under-test-'));
  const start = (securePort: number): ReturnType<typeof startApiServer> => startApiServer({ dataDir, securePort, serviceClusterIpRanges: serviceCIDRs, controllers: false, log: pino({ level: 'silent' }) });
  let server = await start(0);
  const port = server.port;
  const admin: ClusterAccess = { server: `https://127.0.0.1:${port}`, ca: server.pki.caCert, cert: server.admin.cert, key: server.admin.key, namespace: 'default' };
  return {
    admin, proxy: admin,
    async restart() {
      await server.stop();
      server = await start(port);
    },
    compact: () => Promise.resolve(), // its history ends with its process
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
