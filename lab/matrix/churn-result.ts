// What came of the requests of a stream: each lost one is told with the moment it was lost at. Pure.
import type { Request, Stream } from './churn-load.ts';
import type { Moment } from './churn-moments.ts';
import { disruptiveId } from './cell-builder.ts';
import { outcomeOf } from './judge.ts';
import type { CellResult, LostRequest } from './model.ts';
import { placeName } from './places.ts';

/** So long after a kill a lost request is put down to it: by then every node has heard. */
export const KILL_REACH_MS = 6000;
const TALES_AT_MOST = 8;

/** Lost when it was sent, or while it waited: a kill takes requests with it that were on their way. */
function isReached({ atMs, result }: Request, kill: Moment): boolean {
  return kill.isKill && atMs + result.ms >= kill.atMs && atMs <= kill.atMs + KILL_REACH_MS;
}

function lostRequest(request: Request, moments: readonly Moment[]): LostRequest {
  const { atMs, result } = request;
  const outcome = outcomeOf(result);
  const kill = moments.findLast((moment) => isReached(request, moment));
  const before = kill ?? moments.findLast((moment) => moment.atMs <= atMs);
  return { outcome: outcome === 'ok' ? 'error' : outcome, isKilled: kill !== undefined, ...(before === undefined ? {} : { moment: before.what, afterMs: Math.round(atMs - before.atMs) }) };
}

function tale({ outcome, moment, afterMs = 0 }: LostRequest): string {
  if (moment === undefined) return `${outcome} before anything was changed`;
  return afterMs < 0 ? `${outcome}, asked ${(-afterMs / 1000).toFixed(1)} s before ${moment}` : `${outcome} ${(afterMs / 1000).toFixed(1)} s after ${moment}`;
}

/** Nothing may be lost but to a kill. */
export function churnResult(path: 'endpoints come and go' | 'pods are killed', { place, protocol, family, requests }: Stream, moments: readonly Moment[]): CellResult {
  const lost = requests.filter(({ result }) => !result.ok).map((request) => lostRequest(request, moments));
  const answered = requests.filter(({ result }) => result.ok).map(({ result }) => result.ms);
  const isGood = answered.length > 0 && lost.every(({ isKilled }) => isKilled);
  const tales = lost.slice(0, TALES_AT_MOST).map(tale);
  const counted = `${lost.length} of ${requests.length} requests lost in ${moments.length} changes`;
  return {
    id: disruptiveId({ path, place, protocol, family }), from: placeName(place), to: 'svc churn', path, locality: 'any node', protocol, family,
    expected: 'ok', observed: isGood ? 'ok' : 'flaky', sourceExpected: [], sourceObserved: [], result: isGood ? 'passed' : 'failed',
    reason: `${counted}${answered.length === 0 ? '' : `, slowest answer ${(Math.max(...answered) / 1000).toFixed(1)} s`}${tales.length === 0 ? '' : `: ${tales.join('; ')}${lost.length > TALES_AT_MOST ? '; ...' : ''}`}`,
    ...(answered.length === 0 ? {} : { latencyMs: Math.min(...answered) }), ...(lost.length === 0 ? {} : { lost }),
  };
}
