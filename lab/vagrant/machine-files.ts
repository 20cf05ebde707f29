// Every file of the system that a machine of the Vagrant lab gets, as data: modules, sysctls, systemd units. The same machine gives the
// same text, so a second provisioning finds nothing to do.
import { agentArguments, agentMain, agentNodeFlags } from '@podwire/agent';
import { fileURLToPath } from 'node:url';
import { pause } from '../images/small.ts';
import { nodeSysctls } from '../network/underlay.ts';
import { credentialFiles } from './credentials.ts';
import { apiPort, compileCache, loadBalancerCIDR, paths, podCIDR, serviceCIDR } from './layout.ts';
import type { Machine } from './layout.ts';

export interface MachineFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Service that must be restarted when this file changed. */
  readonly restarts: string;
}

const modules = ['br_netfilter', 'nf_conntrack', 'overlay', 'vxlan'] as const;
export const apiserverMain = fileURLToPath(import.meta.resolve('@podwire/apiserver-lite')).replace(/index\.ts$/u, 'main.ts');

/** What the lab's nodes rely on, in the words of sysctl.d; a leading '-' skips what this kernel lacks. */
function sysctlText(): string {
  const lines = Object.entries(nodeSysctls)
    .filter(([name]) => !name.includes('/eth0/'))
    .map(([name, value]) => `${name.endsWith('?') ? '-' : ''}${name.replace(/\?$/u, '').replaceAll('/', '.')} = ${value}`);
  // The stricter of `all` and the device counts, and devices of boot time have Debian's default.
  return [...lines, 'net.ipv4.conf.*.rp_filter = 0', ''].join('\n');
}

/** systemd expands $ and % in command lines and splits them at spaces. */
function quoted(argument: string): string {
  const text = argument.replaceAll('%', '%%').replaceAll('$', '$$$$');
  return /^[\w%$/.:=,@+-]+$/u.test(text) ? text : `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}

interface Unit {
  readonly name: string;
  readonly description: string;
  readonly argv: readonly string[];
  readonly after?: string;
  /** A shell command that runs first; it may fail. */
  readonly before?: string;
}

/**
 * What a node sends itself to a Service address must have some route, or it never leaves the socket. Most machines have a default
 * route; one that has none (a lab without a way out) gets one of the last rank.
 */
const anyRoute = (ip: string): string => `ip route show default | grep -q . || ip route add default via ${ip.replace(/\d+$/u, '1')} metric 4278198272`;

function unitFile({ name, description, argv, after, before }: Unit): MachineFile {
  const text = `[Unit]
Description=${description}
Wants=network-online.target
After=network-online.target systemd-sysctl.service${after === undefined ? '' : ` ${after}`}
StartLimitIntervalSec=0

[Service]
Environment=PODWIRE_CACHE_DIR=${paths.cache} NODE_COMPILE_CACHE=${compileCache}
${before === undefined ? '' : `ExecStartPre=-/bin/sh -c "${before}"\n`}ExecStart=${argv.map(quoted).join(' ')}
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
`;
  return { path: `${paths.units}/${name}`, text, mode: 0o644, restarts: name };
}

export const agentUnit = 'podwire-agent.service';

/** The control plane runs pods as well: it is a node like the others. */
function agentUnitFile(machine: Machine, node: string): MachineFile {
  const credential = (name: string): string => `${paths.credentials}/${name}`;
  const flags = agentArguments({
    kubeconfig: credential(credentialFiles.kubeconfig), nodeName: machine.name, nodeIp: [machine.ip], rootDir: paths.agent,
    dockerHost: 'unix:///run/docker.sock', clusterCidr: [podCIDR], serviceCidr: [serviceCIDR], podInfraContainerImage: pause.name,
    tlsCertFile: credential(credentialFiles.cert), tlsPrivateKeyFile: credential(credentialFiles.key), clientCaFile: credential(credentialFiles.ca),
  });
  return unitFile({ name: agentUnit, description: 'Podwire node agent', argv: [node, ...agentNodeFlags, agentMain, ...flags], after: 'docker.service', before: anyRoute(machine.ip) });
}

function controlPlaneFiles(machine: Machine, node: string): readonly MachineFile[] {
  return [
    unitFile({
      name: 'podwire-apiserver.service', description: 'Podwire API server, controllers and scheduler',
      argv: [
        node, apiserverMain, '--data-dir', paths.apiserver, '--bind-address', machine.ip, '--secure-port', String(apiPort),
        '--service-cluster-ip-range', serviceCIDR, '--cluster-cidr', podCIDR, '--load-balancer-cidr', loadBalancerCIDR,
      ],
    }),
    unitFile({
      name: 'podwire-join.service', description: 'Podwire credentials for joining nodes',
      argv: [node, fileURLToPath(new URL('join-server.ts', import.meta.url)), machine.role, machine.name, machine.ip, machine.controlPlaneIP, [...machine.roster].map((pair) => pair.join('=')).join(',')],
    }),
  ];
}

/** `node`: the Node that runs the services. */
export function machineFiles(machine: Machine, node: string): readonly MachineFile[] {
  return [
    { path: '/etc/modules-load.d/podwire.conf', text: `${modules.join('\n')}\n`, mode: 0o644, restarts: 'systemd-modules-load.service' },
    { path: '/etc/sysctl.d/60-podwire.conf', text: sysctlText(), mode: 0o644, restarts: 'systemd-sysctl.service' },
    ...(machine.role === 'control-plane' ? controlPlaneFiles(machine, node) : []),
    agentUnitFile(machine, node),
  ];
}
