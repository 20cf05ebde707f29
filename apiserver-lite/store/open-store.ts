import { join } from 'node:path';
import { UsageError } from '../options.ts';
import type { ApiServerOptions } from '../options.ts';
import { SqliteStore } from './sqlite-store.ts';
import type { Store } from './store.ts';

/** The store that the options ask for. Throws UsageError when another server holds it. */
export async function openStore({ dataDir, etcdServers }: Pick<ApiServerOptions, 'dataDir' | 'etcdServers'>): Promise<Store> {
  if (etcdServers !== undefined) return openEtcd(etcdServers);
  const path = join(dataDir, 'store.db');
  try {
    return new SqliteStore(path);
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    if (/locked|busy/.test(text)) throw new UsageError(`--data-dir ${dataDir}: another API server uses this store; stop it or give another directory`, { cause });
    throw new UsageError(`--data-dir ${dataDir}: cannot open ${path}: ${text}`, { cause });
  }
}

/** Loaded only when asked for: gRPC is large. */
async function openEtcd(hosts: readonly string[]): Promise<Store> {
  const { EtcdStore } = await import('./etcd-store.ts');
  const store = new EtcdStore({ hosts });
  try {
    await store.currentRevision();
  } catch (cause) {
    await store.close();
    throw new UsageError(`--etcd-servers ${hosts.join(',')}: ${cause instanceof Error ? cause.message : String(cause)}; start etcd, or correct the addresses`, { cause });
  }
  return store;
}
