// Every name, label and path of a lab derives from its state directory, so that two labs never collide and `down` finds
// everything again even when the state directory itself is gone.
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

export interface LabNames {
  /** The state directory, symlinks resolved. */
  readonly stateDir: string;
  /** Six hexadecimal digits: short enough for device names (15 characters), long enough for a machine full of labs. */
  readonly id: string;
  /** Sockets and mounts that must not outlive a boot: a short path, since a Unix socket's is limited to 108 bytes. */
  readonly runDir: string;
  /** The namespace that holds the underlay bridge, kept by a bind mount. */
  readonly underlayNetns: string;
  /** The machine's one device on the underlay. */
  readonly machineDevice: string;
  readonly cgroupParent: string;
  /** Environment entry of every process the lab starts; also inherited by what those start. */
  readonly marker: string;
  readonly kubeconfig: string;
  readonly logDir: string;
  readonly pidDir: string;
  readonly engineDir: string;
  readonly apiserverDir: string;
  readonly stateFile: string;
}

export const markerVariable = 'PODWIRE_LAB';

/** The real path of a directory that need not exist yet. */
function realPath(path: string): string {
  const absolute = resolve(path);
  try {
    return realpathSync(absolute);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || absolute === '/') throw error;
    return join(realPath(dirname(absolute)), basename(absolute));
  }
}

export function labNames(directory: string): LabNames {
  const stateDir = realPath(directory);
  const id = createHash('sha256').update(stateDir).digest('hex').slice(0, 6);
  const runDir = `/run/podwire/${id}`;
  return {
    stateDir,
    id,
    runDir,
    underlayNetns: `${runDir}/underlay`,
    machineDevice: `pw-${id}`,
    cgroupParent: `/podwire-${id}`,
    marker: `${markerVariable}=${id}`,
    kubeconfig: join(stateDir, 'kubeconfig'),
    logDir: join(stateDir, 'logs'),
    pidDir: join(stateDir, 'run'),
    engineDir: join(stateDir, 'engine'),
    apiserverDir: join(stateDir, 'apiserver'),
    stateFile: join(stateDir, 'lab.json'),
  };
}

/** node1, node2, ... */
export function nodeName(index: number): string {
  return `node${index}`;
}

export function nodeContainerName(names: LabNames, node: string): string {
  return `pw-${names.id}-${node}`;
}

/** The underlay's end of a node's cable, inside the underlay namespace. */
export function nodeCable(names: LabNames, index: number): string {
  return `pw-${names.id}-n${index}`;
}

export function nodeDir(names: LabNames, node: string): string {
  return join(names.stateDir, 'nodes', node);
}
