// What the overlay wrote and somebody takes away: the routes, FDB and neighbour entries by which one node reaches another's pods.
import { resources } from '@podwire/kube-client';
import { LabError } from '../errors.ts';
import { underlayAddresses } from '../state/spec.ts';
import type { Fault, FaultContext, FaultParams } from './model.ts';

const DEVICE = 'pw-vxlan';
const VTEP_MAC = 'podwire.io/vtep-mac';

const lines = (text: string): readonly string[] => text.split('\n').map((line) => line.trim()).filter((line) => line !== '');
const words = (line: string): readonly string[] => line.split(/\s+/);
const family = (address: string): string => (address.includes(':') ? '-6' : '-4');

async function podCIDRs({ client }: FaultContext, node: string): Promise<readonly string[]> {
  const { spec } = await client.get(resources.nodes, { name: node });
  return spec?.podCIDRs ?? (spec?.podCIDR === undefined ? [] : [spec.podCIDR]);
}

/** One command a line, to put back what the kernel shows now. */
const saved = (restore: readonly string[]): { readonly restore: string } => ({ restore: restore.join('\n') });

async function putBack(context: FaultContext, { node }: FaultParams, { restore = '' }: Readonly<Record<string, string>>): Promise<void> {
  for (const command of lines(restore)) await context.inside(node, words(command));
}

/** ip route show CIDR -> the commands that make these routes again. */
async function routesTo(context: FaultContext, { node, peer }: FaultParams): Promise<readonly string[]> {
  const found: string[] = [];
  for (const cidr of await podCIDRs(context, peer)) {
    for (const line of lines(await context.inside(node, ['/usr/sbin/ip', family(cidr), 'route', 'show', cidr]))) found.push(`/usr/sbin/ip ${family(cidr)} route replace ${line}`);
  }
  if (found.length === 0) throw new LabError('EUSAGE', `${node} has no route to the pods of ${peer}; is another fault in force? podwire fault --list`);
  return found;
}

export const noRoute: Fault = {
  name: 'no-route', summary: 'NODE has no route to the pods of PEER', uses: ['node', 'peer'], pauses: ({ node }) => [node],
  observe: async (context, params) => saved(await routesTo(context, params)),
  async apply(context, { node }, { restore = '' }) {
    for (const command of lines(restore)) {
      const [ip = '', option = '', , , cidr = ''] = words(command);
      // `flush` of what is not there is no error, unlike `del`.
      await context.inside(node, [ip, option, 'route', 'flush', cidr]);
    }
  },
  undo: putBack,
};

export const dropFdb: Fault = {
  name: 'drop-fdb', summary: "NODE's VXLAN device does not know behind which node the MAC of PEER is", uses: ['node', 'peer'], needsVxlan: true, pauses: ({ node }) => [node],
  async observe(context, { node, peer }) {
    const { metadata } = await context.client.get(resources.nodes, { name: peer });
    const mac = metadata?.annotations?.[VTEP_MAC] ?? '';
    const entries = lines(await context.inside(node, ['/usr/sbin/bridge', 'fdb', 'show', 'dev', DEVICE])).filter((line) => mac !== '' && line.startsWith(`${mac} `));
    if (entries.length === 0) throw new LabError('EUSAGE', `${node} has no FDB entry for ${peer}; is another fault in force? podwire fault --list`);
    return saved(entries.map((line) => `/usr/sbin/bridge fdb replace ${line.replace(` dst `, ` dev ${DEVICE} dst `)}`));
  },
  async apply(context, { node }, { restore = '' }) {
    const present = await context.inside(node, ['/usr/sbin/bridge', 'fdb', 'show', 'dev', DEVICE]);
    for (const command of lines(restore)) {
      const mac = words(command)[3] ?? '';
      if (present.includes(mac)) await context.inside(node, ['/usr/sbin/bridge', 'fdb', 'del', mac, 'dev', DEVICE]);
    }
  },
  undo: putBack,
};

export const dropNeighbour: Fault = {
  name: 'drop-neighbour', summary: "NODE does not know the MAC of PEER's end of the tunnel", uses: ['node', 'peer'], needsVxlan: true, pauses: ({ node }) => [node],
  async observe(context, { node, peer }) {
    const restore: string[] = [];
    for (const cidr of await podCIDRs(context, peer)) {
      const address = cidr.replace(/\/\d+$/, '');
      const [line] = lines(await context.inside(node, ['/usr/sbin/ip', 'neigh', 'show', address, 'dev', DEVICE]));
      const mac = /lladdr (\S+)/.exec(line ?? '')?.[1];
      if (mac !== undefined) restore.push(`/usr/sbin/ip neigh replace ${address} lladdr ${mac} nud permanent dev ${DEVICE}`);
    }
    if (restore.length === 0) throw new LabError('EUSAGE', `${node} has no neighbour entry for ${peer}; is another fault in force? podwire fault --list`);
    return saved(restore);
  },
  async apply(context, { node }, { restore = '' }) {
    for (const command of lines(restore)) {
      const address = words(command)[3] ?? '';
      await context.inside(node, ['/usr/sbin/ip', 'neigh', 'flush', 'to', address, 'dev', DEVICE, 'nud', 'permanent']);
    }
  },
  undo: putBack,
};

export const rpFilter: Fault = {
  name: 'rp-filter', summary: 'NODE checks the way back strictly (rp_filter=1), and its way back to the pods of PEER is another than they come by', uses: ['node', 'peer'], needsVxlan: true, pauses: ({ node }) => [node],
  async observe(context, params) {
    const routes = (await routesTo(context, params)).filter((command) => command.includes(' -4 '));
    return { ...saved(routes), all: (await context.inside(params.node, ['/usr/sbin/sysctl', '-n', 'net.ipv4.conf.all.rp_filter'])).trim() };
  },
  async apply(context, { node, peer }, { restore = '' }) {
    const addresses = underlayAddresses(context.lab.spec);
    const cidr = words(lines(restore)[0] ?? '')[4] ?? '';
    await context.inside(node, ['/usr/sbin/ip', 'route', 'replace', cidr, 'via', addresses.node(Number(peer.replace(/^node/, ''))), 'dev', 'eth0', 'proto', '112']);
    await context.inside(node, ['/usr/sbin/sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1']);
  },
  async undo(context, params, record) {
    await context.inside(params.node, ['/usr/sbin/sysctl', '-qw', `net.ipv4.conf.all.rp_filter=${record['all'] ?? '0'}`]);
    await putBack(context, params, record);
  },
};

const macOf = async (context: FaultContext, node: string): Promise<string> => /link\/ether (\S+)/.exec(await context.inside(node, ['/usr/sbin/ip', 'link', 'show', DEVICE]))?.[1] ?? '';

export const duplicateVxlanMac: Fault = {
  name: 'duplicate-vxlan-mac', summary: "NODE's VXLAN device has the MAC of PEER's, as on machines cloned with their machine-id", uses: ['node', 'peer'], needsVxlan: true, pauses: ({ node }) => [node],
  async observe(context, { node, peer }) {
    const [mac, wanted] = [await macOf(context, node), await macOf(context, peer)];
    if (mac === wanted) throw new LabError('EUSAGE', `${node} and ${peer} have the same MAC already; is another fault in force? podwire fault --list`);
    return { mac, wanted };
  },
  apply: async (context, { node }, { wanted = '' }) => { await context.inside(node, ['/usr/sbin/ip', 'link', 'set', DEVICE, 'address', wanted]); },
  undo: async (context, { node }, { mac = '' }) => { await context.inside(node, ['/usr/sbin/ip', 'link', 'set', DEVICE, 'address', mac]); },
};

const addrGenMode = (device: string): string => `net.ipv6.conf.${device}.addr_gen_mode`;

/** Below 1280 bytes the kernel takes IPv6 off the device, and gives it back as on a new one: with a link-local address that the overlay does not want. */
export const lowMtu: Fault = {
  name: 'mtu', summary: "NODE's VXLAN device takes only packets up to --mtu bytes (1000)", uses: ['node', 'mtu'], needsVxlan: true, pauses: ({ node }) => [node],
  observe: async (context, { node }) => ({
    mtu: /\bmtu (\d+)/.exec(await context.inside(node, ['/usr/sbin/ip', 'link', 'show', DEVICE]))?.[1] ?? '1450',
    // `--ignore`: a kernel or a device without IPv6 has none.
    addrGenMode: (await context.inside(node, ['/usr/sbin/sysctl', '--ignore', '-n', addrGenMode(DEVICE)])).trim(),
  }),
  apply: async (context, { node, mtu }) => { await context.inside(node, ['/usr/sbin/ip', 'link', 'set', DEVICE, 'mtu', String(mtu)]); },
  async undo(context, { node }, { mtu = '1450', addrGenMode: mode = '' }) {
    await context.inside(node, ['/usr/sbin/ip', 'link', 'set', DEVICE, 'mtu', mtu]);
    const now = (await context.inside(node, ['/usr/sbin/sysctl', '--ignore', '-n', addrGenMode(DEVICE)])).trim();
    if (mode === '' || mode === now) return;
    await context.inside(node, ['/usr/sbin/sysctl', '-qw', `${addrGenMode(DEVICE)}=${mode}`]);
    await context.inside(node, ['/usr/sbin/ip', '-6', 'address', 'flush', 'dev', DEVICE, 'scope', 'link']);
  },
};
