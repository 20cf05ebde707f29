import { labels } from '@podwire/agent';
import { dockerClient } from '../engine/client.ts';
import { LabError } from '../errors.ts';
import { ipInside } from '../network/namespace.ts';
import { nodeNetns } from '../node-command.ts';
import { clusterFilter } from '../nodes/node-container.ts';
import { probeBundle } from '../probe/bundle.ts';
import { PROBE_IN_IMAGE } from '../probe/image.ts';
import type { Lab } from '../state/existing.ts';
import { nodeCable, nodeName } from '../state/names.ts';
import { underlayAddresses } from '../state/spec.ts';
import type { Places } from './places.ts';

/** Pods and nodes are namespaces of this machine: entered directly, which is quicker than `docker exec` and takes the same path. */
export async function placesOfLab({ names, spec }: Lab): Promise<Places> {
  const host = [process.execPath, await probeBundle()];
  const underlay = underlayAddresses(spec);
  const podPid = async (namespace: string, name: string): Promise<number> => {
    if (spec.engine === undefined) throw new LabError('ENOLAB', 'this lab has no engine yet; run: podwire up');
    const docker = dockerClient(spec.engine.host);
    const [found] = await docker.listContainers({ filters: { label: [clusterFilter(names), `${labels.role}=container`, `${labels.podNamespace}=${namespace}`, `${labels.podName}=${name}`] } });
    const pid = found === undefined ? 0 : (await docker.getContainer(found.Id).inspect()).State.Pid;
    if (pid === 0) throw new LabError('EFAILED', `pod ${namespace}/${name} has no running container; see: kubectl -n ${namespace} describe pod ${name}`);
    return pid;
  };
  return {
    outsideAddresses: [underlay.gateway, ...(underlay.v6 === undefined ? [] : [underlay.v6.gateway])],
    async cutNode(node) {
      const index = Array.from({ length: spec.nodes }, (_, at) => at + 1).find((number) => nodeName(number) === node);
      if (index === undefined) throw new LabError('EUSAGE', `no node '${node}' in this lab`);
      // The underlay's end of its cable: the node's own routes and addresses stay as they are, it only loses its carrier.
      const set = async (state: 'up' | 'down'): Promise<void> => { await ipInside(names.underlayNetns, ['link', 'set', nodeCable(names, index), state]); };
      await set('down');
      return () => set('up');
    },
    async killPod(namespace, name) {
      process.kill(await podPid(namespace, name), 'SIGKILL');
    },
    async command(place, args) {
      if (place.kind === 'outside') return [...host, ...args];
      if (place.kind === 'node') return ['/usr/bin/nsenter', `--net=${await nodeNetns(names, spec, place.name)}`, '--', ...host, ...args];
      const pid = await podPid(place.namespace, place.name);
      return ['/usr/bin/nsenter', `--target=${pid}`, '--mount', '--uts', '--ipc', '--net', '--pid', '--', ...PROBE_IN_IMAGE, ...args];
    },
  };
}
