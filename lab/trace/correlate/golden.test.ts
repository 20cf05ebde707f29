// Golden transcripts: what the kernel said of real packets, assembled without it. The expected text lies beside each recording;
// after a change that is meant, write it anew: podwire trace --replay FILE.json > FILE.txt
import { readdirSync, readFileSync } from 'node:fs';
import test from 'ava';
import { LabError } from '../../errors.ts';
import { renderHtml } from '../render/html.ts';
import { renderText, renderTree } from '../render/text.ts';
import { replay } from './recording.ts';

const folder = new URL('../fixtures/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const names = readdirSync(folder).filter((name) => name.endsWith('.json')).map((name) => name.replace(/\.json$/, ''));

test('there are recordings', (t) => { t.true(names.length >= 7); });

for (const name of names) {
  test(`${name}: the recording gives the same trace as on the day`, (t) => {
    t.is(renderText(replay(read(`${name}.json`), name)), read(`${name}.txt`));
  });

  test(`${name}: a trace saved as JSON is the same after a replay, in every format`, (t) => {
    const trace = replay(read(`${name}.json`), name);
    const again = replay(JSON.stringify(trace), name);
    t.deepEqual(again, trace);
    t.is(renderTree(again), renderTree(trace));
    t.is(renderHtml(again), renderHtml(trace));
  });

  test(`${name}: steps are numbered, in the order of time, and each says where and why`, (t) => {
    const { hops, reply } = replay(read(`${name}.json`), name);
    for (const side of [hops, reply]) {
      t.deepEqual(side.map(({ n }) => n), side.map((_, index) => index + 1));
      t.deepEqual(side.map(({ atMs }) => atMs), side.map(({ atMs }) => atMs).sort((a, b) => a - b));
      t.true(side.every(({ why, command, node, netns, before }) => [why, command, node, netns, before].every((text) => text !== '')));
    }
  });
}

test('translation is shown on the rule that translates, with the Service, the endpoint and its slice', (t) => {
  const { hops, reply } = replay(read('cluster-ip-across-nodes.json'), 'x');
  const translating = hops.filter(({ after }) => after !== undefined);
  t.is(translating.length, 1);
  t.like(translating[0], { stage: 'nftables', table: 'ip podwire', chain: 'to-endpoint', cause: { kind: 'Service', name: 'on-node2' } });
  t.regex(translating[0]?.why ?? '', /probe-node2-[ab] on node2, listed in EndpointSlice on-node2-/);
  t.regex(translating[0]?.conntrack ?? '', /answers from 10\.244/);
  t.deepEqual(reply.filter(({ after }) => after !== undefined).map(({ stage }) => stage), ['transmit']);
});

test('IPv6: the same hops, translation and tunnel, with addresses in brackets', (t) => {
  const { hops, reply, predicted, agrees } = replay(read('ipv6-across-nodes-udp.json'), 'x');
  t.true(agrees);
  t.true(predicted.endpoints.every(({ address }) => /^\[fd00:.*\]:8080$/.test(address)));
  t.like(hops.find(({ after }) => after !== undefined), { table: 'ip6 podwire', chain: 'to-endpoint', cause: { kind: 'Service', name: 'on-node2' } });
  t.true(hops.some(({ stage }) => stage === 'encapsulate') && reply.some(({ stage }) => stage === 'decapsulate'));
  t.regex(hops.find(({ conntrack }) => conntrack !== undefined)?.conntrack ?? '', /answers from \[fd00:/);
});

test('translated to an address of the node itself, past no device: the tracked connection tells that it arrived', (t) => {
  const { verdict, where, hops, agrees } = replay(read('ptp-to-own-node.json'), 'x');
  t.is(verdict, 'DELIVERED');
  t.is(where, 'node1');
  t.true(agrees);
  t.like(hops.at(-1), { stage: 'deliver', device: 'inside', netns: 'node/node1' });
  t.regex(hops.find(({ after }) => after !== undefined)?.after ?? '', /:10053 tcp \[SYN\]$/);
});

test('what was foretold is there with the rules that lead to it', (t) => {
  for (const name of names) {
    const { predicted, agrees } = replay(read(`${name}.json`), name);
    t.is(agrees, name !== 'missing-fdb-entry');
    t.true(predicted.steps.length > 0 && predicted.steps.every(({ node, chain, rule, why }) => [node, chain, rule, why].every((text) => text !== '')));
  }
});

test('a pod that calls itself: one rule changes the destination, another the source', (t) => {
  const changed = replay(read('hairpin-udp.json'), 'x').hops.filter(({ after }) => after !== undefined);
  t.deepEqual(changed.map(({ chain, stage }) => [stage, chain]), [['nftables', 'to-endpoint'], ['nftables', 'postrouting']]);
});

test('the page holds the whole trace and fetches nothing', (t) => {
  const html = renderHtml(replay(read('hairpin-udp.json'), 'x'));
  t.false(/(src|href)=|https?:\/\/(?!www\.w3\.org)|@import|fetch\(/.test(html));
});

test('what is no trace is refused by name, with the way to save one', (t) => {
  for (const text of ['', '{}', '[]', '{"verdict":"DELIVERED"}', 'null']) {
    t.throws(() => replay(text, 'some.json'), { instanceOf: LabError, message: /some\.json/ });
  }
});

test('drops of others on a device of the same name are not the probe\'s: of several the nearest, and none that is milliseconds away', (t) => {
  interface Saved { readonly observed: { drops: { reason: string; device: string; timeNs: { $ns: string } }[] } }
  const whereWith = (change: (drops: Saved['observed']['drops'], ours: Saved['observed']['drops'][number]) => Saved['observed']['drops']): string => {
    const saved = JSON.parse(read('missing-fdb-entry.json')) as Saved;
    const ours = saved.observed.drops.find(({ reason }) => reason === 'NO_TX_TARGET');
    if (ours === undefined) throw new Error('the recording has no such drop');
    saved.observed.drops = change(saved.observed.drops, ours);
    const { where, reason } = replay(JSON.stringify(saved), 'x');
    return `${where}: ${reason}`;
  };
  const theirs = (ours: Saved['observed']['drops'][number], ms: number): Saved['observed']['drops'][number] => ({ ...ours, reason: 'LOCAL_MAC', timeNs: { $ns: String(BigInt(ours.timeNs.$ns) + BigInt(ms) * 1_000_000n) } });
  t.regex(whereWith((drops, ours) => [theirs(ours, -2), theirs(ours, 2), ...drops]), /NO_TX_TARGET/);
  t.regex(whereWith((drops, ours) => [...drops.filter(({ reason }) => reason !== 'NO_TX_TARGET'), theirs(ours, 20)]), /^node1\/pw-vxlan: no FDB entry/);
});
