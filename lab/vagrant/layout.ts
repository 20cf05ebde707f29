// What a machine of the Vagrant lab is called, where it lies, and where its files are. Pure data; `lab/Vagrantfile` gives the roster.
import { isIP } from 'node:net';
import { LabError } from '../errors.ts';

export type Role = 'control-plane' | 'worker';

export interface Machine {
  readonly role: Role;
  readonly name: string;
  readonly ip: string;
  readonly controlPlaneIP: string;
  /** All machines of the cluster: node name to address. */
  readonly roster: ReadonlyMap<string, string>;
}

export const apiPort = 6443;
/** Hands out sealed credentials; see join.ts. */
export const joinPort = 6444;
export const podCIDR = '10.244.0.0/16';
export const serviceCIDR = '10.96.0.0/16';
/** Outside 192.168.56.0/24: who wants to reach these addresses routes them to any node. */
export const loadBalancerCIDR = '192.168.57.0/24';

export const paths = {
  apiserver: '/var/lib/podwire/apiserver',
  agent: '/var/lib/podwire/agent',
  cache: '/var/cache/podwire',
  credentials: '/etc/podwire',
  joinToken: '/etc/podwire/join-token',
  units: '/etc/systemd/system',
} as const;

/** What Node has compiled: a service is up in half the time when it is there. provision.sh names it too. */
export const compileCache = `${paths.cache}/compile`;

export function serverURL(machine: Machine): string {
  return `https://${machine.controlPlaneIP}:${apiPort}`;
}

/** `control-plane=192.168.56.10,worker1=192.168.56.11` */
export function parseRoster(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(',').map((entry) => {
    const [name = '', ip = ''] = entry.split('=');
    if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/u.test(name) || isIP(ip) !== 4) throw new LabError('EUSAGE', `roster entry '${entry}' is not NAME=IP with a host name and an IPv4 address`);
    return [name, ip];
  }));
}

/** The arguments that provision.sh passes on. */
export function parseMachine([role = '', name = '', ip = '', controlPlaneIP = '', rosterText = '']: readonly string[]): Machine {
  if (role !== 'control-plane' && role !== 'worker') throw new LabError('EUSAGE', `role '${role}' is neither control-plane nor worker`);
  const roster = parseRoster(rosterText);
  if (roster.get(name) !== ip) throw new LabError('EUSAGE', `${name}: the roster says ${roster.get(name) ?? 'nothing'} of it, not ${ip}; give every machine the same roster`);
  if (![...roster.values()].includes(controlPlaneIP)) throw new LabError('EUSAGE', `the control plane's address ${controlPlaneIP} is not in the roster`);
  return { role, name, ip, controlPlaneIP, roster };
}
