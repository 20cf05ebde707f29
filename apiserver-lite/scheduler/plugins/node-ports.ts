// NodePorts: two pods cannot hold the same host port on one node.
import type { Pod } from '@podwire/kube-client';
import type { FilterPlugin } from '../framework.ts';

interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

export function hostPorts(pod: Pod): readonly HostPort[] {
  return (pod.spec?.containers ?? []).flatMap(({ ports }) => (ports ?? []).flatMap(({ hostPort, hostIP, protocol }) => (hostPort === undefined || hostPort === 0 ? [] : [{ ip: hostIP ?? '0.0.0.0', protocol: protocol ?? 'TCP', port: hostPort }])));
}

const everywhere = (ip: string): boolean => ip === '' || ip === '0.0.0.0' || ip === '::';

const collide = (a: HostPort, b: HostPort): boolean => a.port === b.port && a.protocol === b.protocol && (a.ip === b.ip || everywhere(a.ip) || everywhere(b.ip));

export const nodePorts: FilterPlugin = {
  name: 'NodePorts',
  filter: (pod, node) => {
    const wanted = hostPorts(pod);
    if (wanted.length === 0) return undefined;
    const taken = node.pods.flatMap(hostPorts);
    return wanted.some((port) => taken.some((other) => collide(port, other))) ? "node(s) didn't have free ports for the requested pod ports" : undefined;
  },
};
