import test from 'ava';
import { churnResult } from './churn-result.ts';
import { disruptiveCells } from './disruptive.ts';
import { parseFilter } from './filter.ts';
import { nodeLossPlan, nodeLossResult } from './node-loss.ts';
import { renderReport } from './report.ts';
import { report } from './run.ts';
import { answer, cluster, refused, timeout } from './testing.ts';
import { NAMESPACE } from './workload-objects.ts';

const place = { kind: 'pod', namespace: NAMESPACE, name: 'me', node: 'node1' } as const;

test('lost requests are counted, each with the last change before it', (t) => {
  const moments = [{ atMs: 1000, what: 'scale to 6', isKill: false }, { atMs: 5000, what: 'delete pod x', isKill: false }];
  const requests = [{ atMs: 500, result: refused }, { atMs: 2000, result: answer('other', '10.0.0.1') }, { atMs: 5300, result: timeout }];
  const result = churnResult('endpoints come and go', { place, protocol: 'UDP', family: 'IPv4', requests }, moments);
  t.like(result, {
    result: 'failed', observed: 'flaky', id: 'endpoints-come-and-go/pod-podwire-matrix-me/udp/ipv4',
    reason: '2 of 3 requests lost in 2 changes, slowest answer 0.0 s: refused before anything was changed; timeout 0.3 s after delete pod x',
  });
  t.deepEqual(result.lost, [{ outcome: 'refused', isKilled: false }, { outcome: 'timeout', isKilled: false, moment: 'delete pod x', afterMs: 300 }]);
  const clean = churnResult('endpoints come and go', { place, protocol: 'TCP', family: 'IPv4', requests: requests.slice(1, 2) }, moments);
  t.like(clean, { result: 'passed', reason: '0 of 1 requests lost in 2 changes, slowest answer 0.0 s' });
  t.false('lost' in clean);
  t.is(churnResult('endpoints come and go', { place, protocol: 'TCP', family: 'IPv4', requests: [] }, moments).result, 'failed'); // nothing was asked: nothing is known
});

test('a kill may take requests with it, those that waited already too; what is lost long after it has no excuse', (t) => {
  const moments = [{ atMs: 1000, what: 'kill -9 in pod x', isKill: true }, { atMs: 9000, what: 'delete pod y by force', isKill: true }];
  const fine = [{ atMs: 200, result: answer('other', '10.0.0.1') }, { atMs: 900, result: { ...timeout, ms: 2000 } }, { atMs: 1200, result: refused }, { atMs: 9001, result: timeout }];
  const killed = churnResult('pods are killed', { place, protocol: 'TCP', family: 'IPv4', requests: fine }, moments);
  t.like(killed, { result: 'passed', observed: 'ok' });
  t.is(killed.reason, '3 of 4 requests lost in 2 changes, slowest answer 0.0 s: timeout, asked 0.1 s before kill -9 in pod x; refused 0.2 s after kill -9 in pod x; timeout 0.0 s after delete pod y by force');
  t.true(killed.lost?.every(({ isKilled }) => isKilled));
  const late = churnResult('pods are killed', { place, protocol: 'TCP', family: 'IPv4', requests: [...fine, { atMs: 8000, result: refused }] }, moments);
  t.like(late, { result: 'failed', observed: 'flaky' });
  t.like(late.lost?.at(-1), { isKilled: false, moment: 'kill -9 in pod x', afterMs: 7000 });
});

test('what hurts is chosen by the same filter as everything else', (t) => {
  const cells = disruptiveCells(cluster(3, { v6: true }), { cutNode: () => Promise.resolve(() => Promise.resolve()) });
  t.is(cells.length, 2 * 3 * 2 * 2 + 1);
  t.is(new Set(cells.map(({ id }) => id)).size, cells.length);
  t.is(cells.filter(parseFilter('path=pods are killed,from~node2,family=ipv6')).length, 2);
  t.deepEqual(cells.filter(parseFilter('path=node loss')).map(({ skip }) => skip), [undefined]);
  t.deepEqual(disruptiveCells(cluster(2), {}).filter(parseFilter('path=node loss')).map(({ skip }) => skip), ['nothing here can cut a node off']);
  t.deepEqual(disruptiveCells(cluster(1), {}).filter(parseFilter('path=node loss')), []);
});

test('a lost node passes when its endpoints were avoided in time and serve again, and says how long that took', (t) => {
  const planned = nodeLossPlan(cluster(3).pods)!;
  const plan = { ...planned, host: '10.96.0.9' };
  t.deepEqual(planned, { place: { kind: 'pod', namespace: NAMESPACE, name: 'probe-node1-a', node: 'node1' }, victim: 'node3' });
  t.is(nodeLossPlan(cluster(1).pods), undefined);
  const avoided = { afterMs: 50_400, sent: 100, lost: 30 };
  t.like(nodeLossResult(plan, avoided, { afterMs: 4000, sent: 9, lost: 0 }), {
    result: 'passed', reason: 'node3 cut off: its endpoints were avoided after 50 s (30 of 100 requests lost); healed: they served again after 4 s (0 of 9 lost)',
  });
  t.like(nodeLossResult(plan, avoided, { afterMs: undefined, sent: 9, lost: 9 }), { result: 'failed', observed: 'uneven' });
  t.regex(renderReport(report([nodeLossResult(plan, avoided, avoided)]), 'table'), /Measured:\n  node loss, pod podwire-matrix\/probe-node1-a -> svc probe, TCP IPv4: node3 cut off/);
});
