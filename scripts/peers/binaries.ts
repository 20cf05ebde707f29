// Where the real Kubernetes programs are that tests and benchmarks are held against. `npm run peers` puts them there; whoever needs
// one asks here, and leaves its test out, or its column empty, with the reason that `absence` gives.
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** The release that is built: the one whose kube-proxy the feature list names. Its Go version is in its own go.mod. */
export const KUBERNETES_VERSION = 'v1.36.3';

export const PEERS = ['kube-apiserver', 'kube-proxy'] as const;
export type Peer = (typeof PEERS)[number];

export const peersFolder: string = join(process.env['PODWIRE_CACHE_DIR'] ?? join(import.meta.dirname, '../../.cache'), 'peers', KUBERNETES_VERSION);

export const peerPath = (peer: Peer): string => join(peersFolder, peer);

export const etcdPath: string | undefined = ['/usr/bin/etcd', '/usr/local/bin/etcd'].find((path) => existsSync(path));

/** `setpriv --pdeathsig KILL PROGRAM`: the program ends with whoever started it, even if that one is killed. */
export const SETPRIV = '/usr/bin/setpriv';
export const DIE_WITH_ME: readonly string[] = ['--pdeathsig', 'KILL'];

/** Why these programs cannot be run here; undefined when all of them can. A kube-apiserver needs etcd besides. */
export function absence(...peers: readonly Peer[]): string | undefined {
  const missing = peers.filter((peer) => !existsSync(peerPath(peer)));
  if (missing.length > 0) return `no ${missing.join(' and no ')} ${KUBERNETES_VERSION} in ${peersFolder}; \`npm run peers\` builds it`;
  if (peers.includes('kube-apiserver') && etcdPath === undefined) return 'no etcd is installed (Debian: apt-get install etcd-server)';
  return undefined;
}
