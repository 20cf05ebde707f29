// The API server goes away and comes back: ours, with its store. Packets do not notice, not even when the proxy is started anew meanwhile.
import test from 'ava';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { resources } from '@podwire/kube-client';
import type { ClusterAccess } from '@podwire/kube-client';
import { startProxy } from '@podwire/proxy';
import { startApiServer } from '../../apiserver-lite/index.ts';
import { remoteClusterApi } from '../../proxy/testing/cluster-api.ts';
import { ADDRESSES, until } from '../../proxy/testing/netlab.ts';
import { createHarness } from '../../proxy/testing/harness.ts';
import { service, slice } from '../../proxy/testing/objects.ts';

test('an API server that is stopped, and stays away while the proxy restarts, and returns', async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'pw-proxy-outage-'));
  const start = (securePort: number): ReturnType<typeof startApiServer> => startApiServer({ dataDir, securePort, serviceClusterIpRanges: ['10.96.0.0/16', 'fd96::/112'], controllers: false, log: pino({ level: 'silent' }) });
  let server: Awaited<ReturnType<typeof start>> | undefined;
  let port = 0;
  const harness = await createHarness({}, async () => {
    server = await start(0);
    port = server.port;
    const access: ClusterAccess = { server: `https://127.0.0.1:${port}`, ca: server.pki.caCert, cert: server.admin.cert, key: server.admin.key, namespace: 'default' };
    return remoteClusterApi({ admin: access, proxy: access, restart: () => Promise.resolve(), compact: () => Promise.resolve(), [Symbol.asyncDispose]: () => Promise.resolve() });
  });
  const answers = async (): Promise<string[]> => {
    const seen = await Promise.all((['tcp', 'udp'] as const).flatMap((protocol) => ['10.96.0.10', 'fd96::10'].map((host) => harness.ask({ from: harness.lab.a, protocol, host, port: 80, count: 4 }))));
    return [...new Set(seen.flat().map((reply) => reply.split('|')[0] ?? ''))].sort();
  };
  const endpoints = (pod: 'b' | 'c'): void => {
    for (const family of [0, 1] as const) harness.api.put(resources.endpointSlices, slice(`web-${family === 0 ? 4 : 6}`, 'web', [{ address: ADDRESSES[pod][family], node: pod === 'b' ? 'node1' : 'node2' }]));
  };
  try {
    harness.api.put(resources.services, service('web', ['10.96.0.10', 'fd96::10']));
    endpoints('b');
    await harness.synced();
    t.deepEqual(await answers(), ['b']);

    await server?.stop();
    server = undefined;
    t.deepEqual(await answers(), ['b'], 'the API server is away');
    t.true(harness.proxy.health().isLive);
    await until(() => harness.warnings.length > 0, 'the outage to be said');

    await harness.proxy.stop();
    const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
    harness.proxy = await startProxy({ client: harness.client, nodeName: 'node1', log, config: harness.config });
    t.deepEqual(await answers(), ['b'], 'the proxy is started anew and knows nothing yet');
    t.false(harness.proxy.health().isHealthy, 'it says so');

    server = await start(port);
    endpoints('c');
    await harness.synced();
    t.deepEqual(await answers(), ['c']);
    t.true(harness.proxy.health().isHealthy);
  } finally {
    await harness[Symbol.asyncDispose]();
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  }
});
