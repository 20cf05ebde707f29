// Switches and rules of one node, and its cable.
import { run, tryRun } from '../processes/run.ts';
import { nodeCable } from '../state/names.ts';
import type { Fault, FaultContext } from './model.ts';

const TABLE = ['inet', 'podwire-fault'] as const;

const sysctl = async (context: FaultContext, node: string, setting: string): Promise<void> => { await context.inside(node, ['/usr/sbin/sysctl', '-qw', setting]); };

/** A switch of the kernel that is turned off. */
function switchOff(name: string, summary: string, keys: readonly string[]): Fault {
  return {
    name, summary, uses: ['node'], pauses: ({ node }) => [node],
    async observe(context, { node }) {
      const values = await Promise.all(keys.map(async (key) => [key, (await context.inside(node, ['/usr/sbin/sysctl', '-n', key])).trim()] as const));
      return Object.fromEntries(values);
    },
    apply: async (context, { node }) => { for (const key of keys) await sysctl(context, node, `${key}=0`); },
    undo: async (context, { node }, saved) => { for (const key of keys) await sysctl(context, node, `${key}=${saved[key] ?? '1'}`); },
  };
}

export const ipForwardOff = switchOff('ip-forward-off', 'NODE forwards no packets (ip_forward=0; for IPv6, net.ipv6.conf.all.forwarding=0)', ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding']);
export const bridgeNfOff = switchOff('bridge-nf-off', "packets between pods of NODE bypass the Service rules (bridge-nf-call-iptables=0)", ['net.bridge.bridge-nf-call-iptables', 'net.bridge.bridge-nf-call-ip6tables']);

export const nftDrop: Fault = {
  name: 'nft-drop', summary: 'a rule of NODE drops what it forwards to --port (80), --protocol (tcp)', uses: ['node', 'port', 'protocol'],
  observe: () => Promise.resolve({}),
  async apply(context, { node, port, protocol }) {
    const table = TABLE.join(' ');
    // Emptied first: the same rule is there once, however often it is asked for.
    await context.inside(node, ['/usr/sbin/nft', `add table ${table}; add chain ${table} ${protocol}-${port} { type filter hook forward priority 0; }; flush chain ${table} ${protocol}-${port}; add rule ${table} ${protocol}-${port} ${protocol} dport ${port} drop`]);
  },
  async undo(context, { node, port, protocol }) {
    const table = TABLE.join(' ');
    await context.inside(node, ['/usr/sbin/nft', `add table ${table}; add chain ${table} ${protocol}-${port}; delete chain ${table} ${protocol}-${port}`]);
    if (!(await context.inside(node, ['/usr/sbin/nft', 'list', 'table', ...TABLE])).includes('chain ')) await context.inside(node, ['/usr/sbin/nft', `delete table ${table}`]);
  },
};

export const linkDown: Fault = {
  name: 'link-down', summary: "NODE's cable is cut: no other node, no API server", uses: ['node'],
  observe: () => Promise.resolve({}),
  apply: async ({ lab: { names } }, { node }) => { await run(['/usr/bin/nsenter', `--net=${names.underlayNetns}`, '--', '/usr/sbin/ip', 'link', 'set', nodeCable(names, Number(node.replace(/^node/, ''))), 'down']); },
  // A node that was rebuilt meanwhile has a new cable, which is up.
  undo: async ({ lab: { names } }, { node }) => { await tryRun(['/usr/bin/nsenter', `--net=${names.underlayNetns}`, '--', '/usr/sbin/ip', 'link', 'set', nodeCable(names, Number(node.replace(/^node/, ''))), 'up']); },
};
