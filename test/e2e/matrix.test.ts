// The connectivity matrix on a real lab: green when all is well, exactly the right cells red when something is broken, and what it costs
// when endpoints come and go and a node is lost.
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { parse } from 'junit2json';
import type { TestSuites } from 'junit2json';
import type { CellResult, MatrixReport } from '../../lab/matrix/model.ts';
import { cannotRunLab, TestLab } from './lab.ts';

const e2e = cannotRunLab === undefined ? test.serial : test.serial.skip;
const lab = new TestLab();
test.after.always(() => lab.remove());

async function matrix(t: ExecutionContext, filter: string, expectedCode: 0 | 1, more: readonly string[] = []): Promise<MatrixReport> {
  const { code, stdout, stderr } = await lab.podwire('matrix', ['-o', 'json', '--filter', filter, ...more]);
  t.is(code, expectedCode, stderr + stdout);
  return JSON.parse(stdout) as MatrixReport;
}

e2e('every path of a new lab is as expected, over TCP and UDP, IPv4 and IPv6, by address and by name', async (t) => {
  await lab.up(['--ip-family', 'dual']);
  const { summary, cells } = await matrix(t, '', 0);
  t.deepEqual(cells.filter(({ result }) => result === 'failed'), []);
  t.true(summary.passed > 500, JSON.stringify(summary));
  t.true(cells.filter(({ result }) => result === 'skipped').every(({ protocol, reason }) => protocol === 'SCTP' && reason !== ''));
  const across = cells.find(({ id }) => id === 'pod-to-cluster-ip/probe-node1-a/svc-on-node2/udp/ipv4');
  t.like(across, { observed: 'ok', result: 'passed', locality: 'cross node' });
  t.deepEqual(across?.sourceObserved, across?.sourceExpected);
  for (const protocol of ['TCP', 'UDP']) {
    for (const family of ['IPv4', 'IPv6']) {
      const names = cells.filter((cell) => cell.path === 'pod to DNS name' && cell.protocol === protocol && cell.family === family);
      t.deepEqual(names.map(({ observed }) => observed).sort(), ['ok', 'ok', 'ok', 'ok', 'ok', 'ok', 'refused', 'refused', 'refused'], `${protocol} ${family}`);
    }
  }
});

/** `node2`: of `pod podwire-matrix/probe-node2-a`, `node node2`, `pod probe-node2-b`. */
const nodeOf = (name: string): string => /node\d/.exec(name)?.[0] ?? '';
const between = ({ from, to }: CellResult, one: string, other: string): boolean => [nodeOf(from), nodeOf(to)].sort().join() === [one, other].sort().join();

const faults: readonly { readonly args: readonly string[]; readonly filter: string; readonly fails: (cell: CellResult) => boolean; readonly named: RegExp }[] = [
  {
    // The rule sits where node2 forwards: what its pods send, and what comes to them from anywhere but the node itself.
    args: ['nft-drop', '--node', 'node2', '--port', '8080', '--protocol', 'udp'], filter: 'path~to pod', named: /podwire-fault/,
    fails: ({ from, to, protocol }) => protocol === 'UDP' && (from.includes('probe-node2') || (to.includes('probe-node2') && from !== 'node node2')),
  },
  { args: ['no-route', '--node', 'node1', '--peer', 'node2'], filter: 'path~to pod,family=ipv4', named: /no route to 10\.244\.\d\.0\/24, the pods of node2/, fails: (cell) => between(cell, 'node1', 'node2') },
  { args: ['drop-fdb', '--node', 'node3', '--peer', 'node1'], filter: 'path~to pod,family=ipv6', named: /FDB entry/, fails: (cell) => between(cell, 'node1', 'node3') },
  {
    // What a node sends itself, and what is for the node itself, is not forwarded; nor is what stays on the pods' bridge.
    args: ['ip-forward-off', '--node', 'node2'], filter: 'path~to pod,protocol=tcp', named: /forwarding is off|ip_forward is off/,
    fails: ({ from, to, locality }) => locality === 'cross node' && (from.includes('probe-node2') || to.includes('probe-node2')),
  },
];

for (const { args, filter, fails, named } of faults) {
  e2e(`with ${args.join(' ')}, exactly the cells that cross it fail, and their traces name it`, async (t) => {
    t.is((await lab.podwire('fault', args)).code, 0);
    try {
      const { cells } = await matrix(t, filter, 1);
      const failed = cells.filter(({ result }) => result === 'failed');
      t.true(failed.length > 0);
      t.deepEqual(failed.map(({ id }) => id), cells.filter(fails).map(({ id }) => id));
      const traces = failed.flatMap(({ trace }) => trace ?? []);
      t.true(traces.length > 0 && traces.every((line) => named.test(line)), JSON.stringify(traces, null, 2));
    } finally {
      t.is((await lab.podwire('fault', ['--undo', 'all'])).code, 0);
    }
  });
}

e2e('put right, all is green again; the JUnit file is read by a JUnit parser, case by case', async (t) => {
  const { cells } = await matrix(t, 'path~to pod', 0);
  const { code, stdout } = await lab.podwire('matrix', ['-o', 'junit', '--filter', 'path~to pod']);
  t.is(code, 0);
  const read = await parse(stdout) as TestSuites;
  t.like(read, { name: 'connectivity matrix', tests: cells.length, failures: 0, errors: 0 });
  t.deepEqual(read.testsuite?.map(({ name }) => name), [...new Set(cells.map(({ path }) => path))]);
  t.is(read.testsuite?.flatMap(({ testcase }) => testcase ?? []).length, cells.length);
});

e2e('endpoints come and go under load without a lost request; what is lost to killed pods is told with its moment', async (t) => {
  const { cells } = await matrix(t, 'to=svc churn,from~probe-node1,family=ipv4', 0, ['--disruptive', '12']);
  t.deepEqual(cells.map(({ path, protocol }) => `${path}, ${protocol}`), ['endpoints come and go, TCP', 'endpoints come and go, UDP', 'pods are killed, TCP', 'pods are killed, UDP']);
  for (const { path, reason, lost = [] } of cells) {
    t.regex(reason, /^\d+ of \d\d+ requests lost in [1-9]\d* changes/);
    t.is(Number(/^(\d+)/.exec(reason)?.[1]), lost.length);
    if (path === 'endpoints come and go') t.deepEqual(lost, []);
    t.true(lost.every(({ isKilled, moment }) => isKilled && /^kill -9 in pod churn-|^delete pod churn-.* by force$/.test(moment ?? '')), JSON.stringify(lost));
  }
  t.is((await lab.kubectl(['-n', 'podwire-matrix', 'get', 'deployments', '-o', 'name'])).trim(), '', 'nothing of it is left');
});

e2e('a lost node is avoided, and serves again when it is back', async (t) => {
  const { cells } = await matrix(t, 'path=node loss', 0, ['--disruptive', '1']);
  t.is(cells.length, 1);
  t.regex(cells[0]?.reason ?? '', /^node3 cut off: its endpoints were avoided after \d+ s \(\d+ of \d+ requests lost\); healed: they served again after \d+ s/);
});

e2e('wrong input is exit code 2 with a remedy: a filter that names no field, one that matches nothing, no number of seconds', async (t) => {
  for (const [args, message] of [
    [['--filter', 'colour=red'], /'colour' in 'colour=red' is no field of a cell/], [['--filter', 'from=nowhere'], /no cell matches/],
    [['--disruptive', 'long'], /--disruptive long: give whole seconds from 1 to 3600/], [['-o', 'tap'], /tap/],
  ] as const) {
    const { code, stderr } = await lab.podwire('matrix', args);
    t.is(code, 2, args.join(' '));
    t.regex(stderr, message);
  }
});
