// What came of a cell: pure.
import type { ProbeResult } from '../probe/protocol.ts';
import type { Cell, CellResult, Observed, Outcome } from './model.ts';
import { placeName } from './places.ts';

type Verdict = Pick<CellResult, 'observed' | 'reason'>;

export function judge(cell: Cell, attempts: readonly ProbeResult[]): CellResult {
  const answers = attempts.filter(({ ok }) => ok);
  const sourceObserved = [...new Set(answers.flatMap(({ answer }) => answer?.source ?? []))];
  const { observed, reason } = cell.skip !== undefined ? { observed: 'skipped' as const, reason: cell.skip } : verdictOf(cell, attempts);
  return {
    id: cell.id, from: placeName(cell.place), to: cell.to, path: cell.path, locality: cell.locality, protocol: cell.protocol, family: cell.family,
    expected: cell.expected, observed, sourceExpected: expectedSources(cell, answers), sourceObserved,
    result: observed === 'skipped' ? 'skipped' : observed === cell.expected ? 'passed' : 'failed', reason,
    ...(answers.length === 0 ? {} : { latencyMs: Math.min(...answers.map(({ ms }) => ms)) }),
  };
}

export function outcomeOf({ ok, refused, timeout }: ProbeResult): Outcome | 'error' {
  return ok ? 'ok' : refused ? 'refused' : timeout ? 'timeout' : 'error';
}

function verdictOf(cell: Cell, attempts: readonly ProbeResult[]): Verdict {
  const outcomes = new Map<Outcome | 'error', number>();
  for (const attempt of attempts) outcomes.set(outcomeOf(attempt), (outcomes.get(outcomeOf(attempt)) ?? 0) + 1);
  const [first] = outcomes.keys();
  if (first === undefined) return { observed: 'error', reason: 'it was not probed' };
  if (outcomes.size > 1) return { observed: 'flaky', reason: [...outcomes].map(([outcome, count]) => `${count} x ${outcome}`).join(', ') };
  const misled = attempts.find(({ resolved }) => resolved !== undefined && (resolved.length !== 1 || resolved[0] !== cell.host));
  if (misled !== undefined) return { observed: 'wrong address', reason: `${cell.lookup?.name ?? 'the name'} is ${misled.resolved?.join(', ') || 'nothing'} to ${cell.lookup?.server ?? 'the DNS'}; expected ${cell.host}` };
  if (first === 'error') return { observed: 'error', reason: `${attempts[0]?.error ?? 'unknown error'} at ${whereText(cell, attempts)}` };
  if (first !== cell.expected) return { observed: first, reason: differenceText(cell, first, whereText(cell, attempts)) };
  return first === 'ok' ? answersVerdict(cell, attempts) : { observed: first, reason: '' };
}

/** A name that could not be resolved is the DNS's matter, not the target's. */
function whereText({ host, port, lookup }: Cell, attempts: readonly ProbeResult[]): string {
  return lookup !== undefined && attempts[0]?.failedAt === 'lookup' ? `the DNS ${lookup.server}:${lookup.port}, asked for ${lookup.name}` : `${host}:${port}`;
}

function differenceText({ expected }: Cell, observed: Outcome, where: string): string {
  const words = { ok: 'an answer', refused: 'a refusal', timeout: 'silence' } as const;
  return `${words[observed]} where ${words[expected]} was expected, at ${where}`;
}

/** Every attempt was answered: by whom, and which source did they see? */
function answersVerdict(cell: Cell, attempts: readonly ProbeResult[]): Verdict {
  const good: Verdict = { observed: 'ok', reason: '' };
  if (cell.answeredBy === undefined) return good;
  const counts = new Map<string, number>();
  for (const { answer } of attempts) {
    const pod = answer?.pod ?? '';
    counts.set(pod, (counts.get(pod) ?? 0) + 1);
    if (!cell.answeredBy.includes(pod)) return { observed: 'wrong endpoint', reason: `${pod === '' ? 'something outside the cluster' : pod} answered; expected ${cell.answeredBy.join(' or ')}` };
    const allowed = sourcesFor(cell, pod);
    if (allowed !== undefined && !allowed.includes(answer?.source ?? '')) {
      return { observed: 'wrong source', reason: `${pod === '' ? 'the server' : pod} saw ${answer?.source ?? 'nothing'}; expected ${allowed.join(' or ')}` };
    }
  }
  if (cell.pattern === 'sticky' && counts.size > 1) return { observed: 'not sticky', reason: `${attempts.length} attempts went to ${counts.size} pods: ${[...counts.keys()].join(', ')}` };
  if (cell.pattern === 'spread') {
    const missing = cell.answeredBy.filter((pod) => !counts.has(pod));
    if (missing.length > 0) return { observed: 'uneven', reason: `${missing.join(', ')} answered none of ${attempts.length} attempts` };
  }
  return good;
}

function sourcesFor(cell: Cell, pod: string): readonly string[] | undefined {
  const isItself = cell.place.kind === 'pod' && cell.place.name === pod;
  return isItself && cell.ownSources !== undefined ? cell.ownSources : cell.sources;
}

/** For the report: what was allowed for those who answered, or for all when none did. */
function expectedSources(cell: Cell, answers: readonly ProbeResult[]): readonly string[] {
  if (cell.answeredBy === undefined || cell.expected !== 'ok') return [];
  const pods = answers.length === 0 ? cell.answeredBy : answers.map(({ answer }) => answer?.pod ?? '');
  return [...new Set(pods.flatMap((pod) => sourcesFor(cell, pod) ?? []))];
}

/** One character per cell in the grid. */
export function symbolOf({ result, observed }: Pick<CellResult, 'result' | 'observed'>): string {
  if (result === 'skipped') return '-';
  if (result === 'passed') return '.';
  return SYMBOLS[observed as Observed];
}

const SYMBOLS: Readonly<Record<Observed, string>> = {
  ok: 'O', timeout: 'X', refused: 'R', 'wrong source': 'S', 'wrong endpoint': 'E', 'wrong address': 'N', flaky: '~', 'not sticky': '~', uneven: '~', error: '!',
};
