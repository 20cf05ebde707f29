// First packet and throughput through a Service beside the same path without one, from pod a to pod c on the other node.
import { KernelNft } from 'nftables-js';
import { TableProgrammer } from '../driver/table-programmer.ts';
import { desiredService } from '../core/desired.ts';
import { parseService } from '../core/service-info.ts';
import { parseSlice } from '../core/slice-info.ts';
import { ADDRESSES, createNetLab } from '../testing/netlab.ts';
import { service, slice } from '../testing/objects.ts';
import { connectTimes, throughput } from './packet-measures.ts';
import type { Throughput } from './packet-measures.ts';
import { benchService, benchSlice, range } from './stub-client.ts';

export interface PacketResult { readonly connect: readonly { readonly services: number; readonly directUs: number; readonly serviceUs: number }[]; readonly throughput?: Throughput }

const NODE = { name: 'node1', zone: undefined, ips: [] };
const ADDRESS = '10.96.255.1';
const target = service('target', [ADDRESS], { ports: [{ name: 't', protocol: 'TCP', port: 80 }, { name: 'p', protocol: 'TCP', port: 5201 }] });
const targetSlice = slice('target-4', 'target', [{ address: ADDRESSES.c[0], node: 'node2' }], [{ name: 't', protocol: 'TCP', port: 8080 }, { name: 'p', protocol: 'TCP', port: 5201 }]);

function wanted(object: Parameters<typeof parseService>[0], endpoints: Parameters<typeof parseSlice>[0]): readonly [string, ReturnType<typeof desiredService>] {
  const info = parseService(object);
  const parsed = parseSlice(endpoints);
  return [`${object.metadata?.namespace ?? ''}/${object.metadata?.name ?? ''}`, info === undefined || parsed === undefined ? undefined : desiredService(info, [parsed], 'ip', NODE)];
}

await using lab = await createNetLab();
using nft = KernelNft.open();
const table = new TableProgrammer('ip', nft, { podSource: { kind: 'cidrs' }, masqueradeAll: false, masqueradeBit: 14 });
await table.start();
await table.setConfig('pod-net', [{ first: 0x0af4_0000n, last: 0x0af4_ffffn }]);
await table.sync([wanted(target, targetSlice)]);

const connect: { services: number; directUs: number; serviceUs: number }[] = [];
let loaded = 0;
for (const services of [1, 1000, 30_000]) {
  await table.sync(range(services - 1 - loaded, loaded).map((n) => wanted(benchService(n), benchSlice(n, range(10)))));
  loaded = services - 1;
  const times = connectTimes(lab.a.netns, { host: ADDRESSES.c[0], port: 8080 }, { host: ADDRESS, port: 80 });
  connect.push({ services, directUs: times.direct, serviceUs: times.service });
}
const stream = await throughput(lab.a.netns, lab.c.netns, ADDRESSES.c[0], ADDRESS);
if (stream === undefined) process.stderr.write('throughput not measured: no iperf3 is installed (Debian: apt-get install iperf3)\n');
const result: PacketResult = { connect, ...(stream === undefined ? {} : { throughput: stream }) };
process.stdout.write(JSON.stringify(result));
await lab[Symbol.asyncDispose]();
process.exit(0);
