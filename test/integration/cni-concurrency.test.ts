// Many processes at once on one network: the lease folder, the bridge and the nftables rows are what they share.
import { unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { gc, podNetworkConfig } from '../../cni/index.ts';
import { TestBed, ipJson, run } from '../../cni/testing/test-bed.ts';

unshareNetns();
const bed = new TestBed();
test.after.always(() => bed.close());

const workers = 4;
const operations = 50;
const namespaces = 5;

async function churn(index: number, spaces: readonly string[]): Promise<readonly { containerId: string; ip: string }[]> {
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../cni/testing/churn.ts'), bed.dataDir, String(index), String(workers), String(operations), ...spaces], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { stderr += text; });
  const code = await new Promise<number | null>((done) => { child.on('close', done); });
  if (code !== 0) throw new Error(`worker ${index}: ${stderr}`);
  return JSON.parse(stdout) as { containerId: string; ip: string }[];
}

test('200 attachments, detachments and collections from four processes, twenty at a time: unique addresses, nothing leaks', async (t) => {
  const spaces = Array.from({ length: workers }, (_, worker) => Array.from({ length: namespaces }, (__, index) => bed.namespace(`w${worker}-${index}`)));
  const results = await Promise.all(spaces.map((each, index) => churn(index, each)));
  const left = results.flat();
  t.true(left.length > 0);
  t.is(new Set(left.map((each) => each.ip)).size, left.length);
  const veths = (): number => ipJson('link', 'show', 'type', 'veth').length;
  const rows = (): number => (run('/usr/sbin/nft', 'list', 'set', 'inet', 'podwire-cni', 'masq4').match(/comment/g) ?? []).length;
  t.is(veths(), left.length, 'one link for each that is attached');
  t.is(rows(), left.length, 'one row for each');
  t.deepEqual(bed.leases('churn').filter((name) => name.includes('.')).sort(), left.map((each) => each.ip).sort());

  const network = podNetworkConfig({ name: 'churn', bridge: 'pw-churn', podCIDRs: ['10.77.0.0/24', 'fd77::/64'], dataDir: bed.dataDir, ipMasq: true });
  await gc(network, []);
  t.is(veths(), 0);
  t.is(rows(), 0);
  t.deepEqual(bed.leases('churn'), []);
});
