// The lab's own Docker engine: containerd and dockerd with every path of theirs inside the lab's folders, so that it neither sees
// nor disturbs another engine, and leaves nothing behind.
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { ensureService, runningService, waitReady } from '../processes/service.ts';
import { LabError } from '../errors.ts';
import { answers, dockerClient } from './client.ts';
import { rememberAbsent } from './footprints.ts';
import type { LabNames } from '../state/names.ts';
import type { Service } from '../processes/service.ts';

export const engineServices = ['dockerd', 'containerd'] as const;

export function privateHost(names: LabNames): string {
  return `unix://${names.runDir}/docker.sock`;
}

function findProgram(name: string): string {
  for (const folder of ['/usr/sbin', '/usr/bin', '/usr/local/sbin', '/usr/local/bin', '/sbin', '/bin']) {
    if (existsSync(join(folder, name))) return join(folder, name);
  }
  throw new LabError('ENEED', `no Docker engine answers and ${name} is not installed to start one; install it (Debian: apt-get install docker.io), start Docker, or set DOCKER_HOST`);
}

/** containerd(8), config.toml version 2. Without `opt` it would make /opt/containerd. */
function containerdConfig(names: LabNames): string {
  return `version = 2
root = "${names.engineDir}/containerd"
state = "${names.runDir}/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "${names.runDir}/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "${names.engineDir}/opt"
`;
}

function containerd(names: LabNames): Service {
  const config = join(names.engineDir, 'containerd.toml');
  writeFileSync(config, containerdConfig(names));
  return {
    name: 'containerd',
    argv: [findProgram('containerd'), '--config', config, '--log-level', 'warn'],
    ready: () => listens(`${names.runDir}/containerd.sock`),
    readyTimeoutMs: 60_000,
  };
}

/**
 * `--live-restore`: containers survive the engine, so a killed engine costs no pod. No bridge, no iptables, no forwarding: the pod network is ours.
 * The configuration file is named so that the machine's own /etc/docker/daemon.json does not apply.
 */
function dockerd(names: LabNames): Service {
  const config = join(names.engineDir, 'daemon.json');
  writeFileSync(config, '{}\n');
  return {
    name: 'dockerd',
    argv: [
      findProgram('dockerd'), '--config-file', config, '--live-restore', '--bridge=none', '--iptables=false', '--ip-forward=false', '--ip-masq=false',
      '--userland-proxy=false', '-H', privateHost(names), '--containerd', `${names.runDir}/containerd.sock`, '--data-root', join(names.engineDir, 'docker'),
      '--exec-root', `${names.runDir}/docker`, '--pidfile', `${names.runDir}/docker.pid`, '--cgroup-parent', names.cgroupParent,
      '--log-level', 'warn',
    ],
    ready: async () => (await answers(privateHost(names))) && reachesContainerd(names),
    readyTimeoutMs: 60_000,
  };
}

/** A socket file alone says nothing: a killed daemon leaves it behind. */
function listens(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => { socket.destroy(); resolve(true); }).once('error', () => { resolve(false); });
  });
}

/** dockerd answers before it has found a restarted containerd again (it retries with a growing pause). */
async function reachesContainerd(names: LabNames): Promise<boolean> {
  const { ContainerdCommit } = (await dockerClient(privateHost(names)).info()) as { readonly ContainerdCommit?: { readonly ID?: string } };
  return ContainerdCommit?.ID !== 'N/A';
}

/** Starts what is missing of the private engine; says whether anything was. */
export async function ensurePrivateEngine(names: LabNames): Promise<'running' | 'started'> {
  mkdirSync(names.engineDir, { recursive: true, mode: 0o711 });
  mkdirSync(names.runDir, { recursive: true });
  rememberAbsent();
  const first = await ensureService(names, containerd(names));
  const engine = dockerd(names);
  // A killed dockerd leaves its pid file, and one whose number lives again (or is not yet reaped) would keep it from starting.
  if (runningService(names, engine.name) === undefined) rmSync(`${names.runDir}/docker.pid`, { force: true });
  const second = await ensureService(names, engine);
  if (first === 'started' && second === 'running') await waitReady(names, engine);
  return first === 'started' || second === 'started' ? 'started' : 'running';
}
