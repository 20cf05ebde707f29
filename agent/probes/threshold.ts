// What a row of probe results means. Pure.
import type { Probe } from '@podwire/kube-client';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export interface Tally { readonly successes: number; readonly failures: number }
export const noResults: Tally = { successes: 0, failures: 0 };

export interface Verdict {
  readonly tally: Tally;
  /** `pass` and `fail` once the threshold is reached; undefined while it is not. */
  readonly outcome: 'pass' | 'fail' | undefined;
}

/** Counts one more result: consecutive ones only. */
export function countResult(tally: Tally, ok: boolean, probe: Probe): Verdict {
  const next = ok ? { successes: tally.successes + 1, failures: 0 } : { successes: 0, failures: tally.failures + 1 };
  if (ok) return { tally: next, outcome: next.successes >= (probe.successThreshold ?? 1) ? 'pass' : undefined };
  return { tally: next, outcome: next.failures >= (probe.failureThreshold ?? 3) ? 'fail' : undefined };
}
