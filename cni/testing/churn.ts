// One of several processes that attach, detach and collect at random on the same network, for the tests.
// node churn.ts DATA_DIR WORKER WORKERS OPERATIONS NETNS...   prints one JSON line: what is attached at the end.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { attach, detach, gc, podNetworkConfig } from '../index.ts';
import type { AttachmentId } from '../index.ts';

const [dataDir = '', worker = '0', workers = '1', operations = '0', ...spaces] = process.argv.slice(2);
const network = podNetworkConfig({ name: 'churn', bridge: 'pw-churn', podCIDRs: ['10.77.0.0/24', 'fd77::/64'], dataDir, ipMasq: true });
const ifname = 'eth0';
const idOf = (owner: number | string, space: number, round: number): string => `churn-${owner}-${space}-${round}`;

interface Attached { readonly containerId: string; readonly ip: string }
const rounds = Math.ceil(Number(operations) / spaces.length);
/** What others, and this process in its other namespaces, may have attached at this moment: everything that they could ever have. */
const othersThan = (mine: number): readonly AttachmentId[] => Array.from({ length: Number(workers) }, (_, owner) => owner).flatMap((owner) => spaces.flatMap((_, space) =>
  String(owner) === worker && space === mine ? [] : Array.from({ length: rounds + 1 }, (__, round) => ({ containerId: idOf(owner, space, round), ifname }))));

const turn = async (): Promise<void> => new Promise((done) => { setTimeout(done, Math.random() * 5); });

/** Attached, gone by DEL with or without namespace or by GC, attached again: all namespaces of the process at the same time. */
async function churn(netns: string, space: number): Promise<Attached | undefined> {
  let attached: Attached | undefined;
  // An odd number leaves it attached.
  for (let round = 0; round < rounds + (space % 2); round++) {
    await turn();
    if (attached === undefined) {
      const containerId = idOf(worker, space, round);
      const result = await attach(network, { containerId, netns, ifname });
      attached = { containerId, ip: result.ips[0]?.address.split('/')[0] ?? '' };
      continue;
    }
    const { containerId, ip }: Attached = attached;
    const holder = readFileSync(join(dataDir, 'churn', ip), 'latin1');
    if (holder !== `${containerId}\r\n${ifname}`) throw new Error(`${ip} belongs to ${JSON.stringify(holder)}, not to ${containerId}`);
    attached = undefined;
    if (Math.random() < 0.3) await gc(network, othersThan(space));
    else await detach(network, { containerId, netns: Math.random() < 0.5 ? '' : netns, ifname });
  }
  return attached;
}

const left = await Promise.all(spaces.map(churn));
process.stdout.write(`${JSON.stringify(left.filter((each) => each !== undefined))}\n`);
