/** One line of a benchmark's report (see scripts/bench.ts). */
export interface BenchResult { readonly name: string; readonly value: number; readonly unit: string; readonly floor?: number; readonly peer?: number; readonly ratio?: number; readonly target: string; readonly ok: boolean }
