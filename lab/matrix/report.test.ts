import test from 'ava';
import * as fc from 'fast-check';
import { parse } from 'junit2json';
import type { TestSuites } from 'junit2json';
import { judge, symbolOf } from './judge.ts';
import { renderReport } from './report.ts';
import { report } from './run.ts';
import { answer, base, refused, timeout } from './testing.ts';

const sample = report([
  judge(base, [answer('other', '10.0.0.1')]),
  judge({ ...base, id: 'bad <&">', to: 'svc <evil> & "co"' }, [timeout]),
  judge({ ...base, protocol: 'UDP', skip: 'no reason' }, []),
  { ...judge({ ...base, path: 'pod to pod' }, [refused]), trace: 'DROPPED at node2/eth0' },
]);

test('the table shows the grid, then only the differences with their traces, then the counts', (t) => {
  t.is(renderReport(sample, 'table'), `PATH                WHERE       TCP IPv4   UDP IPv4
pod to pod          same node   R
pod to cluster IP   same node   .X         -

. ok   X time-out   R refused   S wrong source   E wrong endpoint   N wrong name   ~ flaky   O answered where it must not   ! error   - skipped

Not as expected:
X pod podwire-matrix/me -> svc <evil> & "co"  TCP IPv4  (pod to cluster IP, same node)
    expected ok, observed timeout: silence where an answer was expected, at 10.96.0.1:80
R pod podwire-matrix/me -> svc x  TCP IPv4  (pod to pod, same node)
    expected ok, observed refused: a refusal where an answer was expected, at 10.96.0.1:80
    trace: DROPPED at node2/eth0

Skipped:
  1 x pod to cluster IP: no reason

1 as expected, 2 not, 1 skipped
`);
});

test('the JSON has the agreed keys', (t) => {
  const { summary, cells } = JSON.parse(renderReport(sample, 'json')) as typeof sample;
  t.deepEqual(summary, { passed: 1, failed: 2, skipped: 1 });
  t.deepEqual(Object.keys(cells[0]!), ['id', 'from', 'to', 'path', 'locality', 'protocol', 'family', 'expected', 'observed', 'sourceExpected', 'sourceObserved', 'result', 'reason', 'latencyMs']);
  t.is(cells[3]!.trace, 'DROPPED at node2/eth0');
});

test('the JUnit file is read back by a JUnit parser: counts, names, reasons, whatever is in them', async (t) => {
  const text = renderReport(sample, 'junit');
  const read = await parse(text) as TestSuites;
  t.like(read, { name: 'connectivity matrix', tests: 4, failures: 2, errors: 0 });
  t.like(read.testsuite?.[0], { name: 'pod to cluster IP', tests: 3, failures: 1, skipped: 1 });
  const cases = read.testsuite?.flatMap(({ testcase }) => testcase ?? []) ?? [];
  t.deepEqual(cases.map(({ name, classname }) => [classname, name]), sample.cells.map(({ path, from, to, protocol, family, locality }) => [`matrix.${path}`, `${from} to ${to}, ${protocol} ${family}, ${locality}`]));
  t.like(cases[1]?.failure?.[0], { type: 'timeout', message: 'expected ok, observed timeout', inner: sample.cells[1]?.reason });
  t.is(cases[2]?.skipped?.[0]?.message, 'no reason');
  t.is(cases[3]?.failure?.[0]?.inner, `${sample.cells[3]?.reason ?? ''}\ntrace: DROPPED at node2/eth0`);
  t.deepEqual(cases[0]?.failure, undefined);
});

test('any text survives the JUnit file (law)', async (t) => {
  // What XML 1.0 cannot hold at all is left out; spaces at the ends are the parser's to trim.
  const word = fc.stringMatching(/^[!-~\u00a1-\u024f\u4e00-\u4eff]{1,12}$/);
  await fc.assert(fc.asyncProperty(word, word, async (to, reason) => {
    const read = await parse(renderReport(report([{ ...judge({ ...base, to }, [timeout]), reason }]), 'junit')) as TestSuites;
    const [one] = read.testsuite?.[0]?.testcase ?? [];
    t.is(one?.name, `pod podwire-matrix/me to ${to}, TCP IPv4, same node`);
    t.is(one?.failure?.[0]?.inner, reason);
  }), { numRuns: 50 });
});

test('the HTML is one file that fetches nothing and carries the cells as data', (t) => {
  const html = renderReport(sample, 'html');
  t.false(/(src|href)=|https?:|@import|fetch\(/.test(html));
  t.is([...html.matchAll(/data-cell="/g)].length, 4);
  const data = /<script type="application\/json" id="data">([^<]*)<\/script>/.exec(html)?.[1];
  t.deepEqual(JSON.parse(data ?? ''), JSON.parse(JSON.stringify(sample.cells)));
});

test('each kind of outcome has its own sign in the grid', (t) => {
  t.is(symbolOf({ result: 'passed', observed: 'refused' }), '.');
  t.is(symbolOf({ result: 'failed', observed: 'wrong source' }), 'S');
  t.is(symbolOf({ result: 'failed', observed: 'ok' }), 'O');
  t.is(symbolOf({ result: 'skipped', observed: 'skipped' }), '-');
});
