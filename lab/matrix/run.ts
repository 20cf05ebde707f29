import { LabError } from '../errors.ts';
import type { ProbeRequest, ProbeResult } from '../probe/protocol.ts';
import { serveProbes } from '../probe/serve.ts';
import type { ProbeServer } from '../probe/serve.ts';
import { desiredCells } from './cells.ts';
import { disruptiveCells, runDisruptive } from './disruptive.ts';
import { parseFilter } from './filter.ts';
import { judge, outcomeOf } from './judge.ts';
import type { Cell, CellResult, MatrixReport } from './model.ts';
import type { MatrixHooks, MatrixOptions } from './options.ts';
import { placeName } from './places.ts';
import { startProbers } from './prober.ts';
import type { Prober, Probers } from './prober.ts';
import { settle } from './settle.ts';
import { readTopology } from './topology.ts';
import { ensureWorkload, removeWorkload } from './workload.ts';

const CELLS_AT_ONCE_PER_PLACE = 6;
const TIMEOUT_MS = 3000;
/** Where silence is expected it is waited for only this long. */
const SILENCE_MS = 1000;
/** More failures of one kind than this say nothing new. */
const ENOUGH_FAILURES = 2;
/** A trace takes seconds; one fault seldom needs more to be named. */
const TRACES_AT_MOST = 3;

/** Probes every cell. Throws LabError when it could not run; a failed cell is part of the report. */
export async function runMatrix(options: MatrixOptions): Promise<MatrixReport> {
  const { client, places, signal, churnSeconds, hooks = {} } = options;
  const matches = parseFilter(options.filter ?? ''); // a bad filter fails before anything is made
  const patience = options.patience ?? 1;
  signal?.throwIfAborted();
  hooks.onPhase?.('probe pods and Services');
  const workload = await ensureWorkload(client, { patience, ...(options.image === undefined ? {} : { image: options.image }), ...(signal === undefined ? {} : { signal }) });
  try {
    await using outside = places.outsideAddresses.length === 0 ? undefined : await serveProbes([0], { pod: '', node: 'outside' });
    const topology = await readTopology(client, { outsideAddresses: places.outsideAddresses, outsidePort: portOf(outside) }, signal);
    const cells = desiredCells(topology).filter(matches);
    const disruptive = churnSeconds === undefined ? [] : disruptiveCells(topology, places).filter(matches);
    if (cells.length + disruptive.length === 0) throw new LabError('EUSAGE', `--filter: no cell matches '${options.filter ?? ''}'; see the ids in: podwire matrix -o json`);
    await using probers = await startProbers(places, cells.filter(({ skip }) => skip === undefined).map(({ place }) => place));
    if (workload === 'made') {
      hooks.onPhase?.('waiting until every node knows the new Services');
      await settle(topology, probers.at, { patience, signal });
    }
    hooks.onPhase?.(`${cells.length} cells`);
    const results = await probeAll(cells, probers, { ...options, patience });
    const traced = hooks.trace === undefined ? results : await withTraces(cells, results, hooks.trace);
    return report([...traced, ...(churnSeconds === undefined ? [] : await runDisruptive(options, churnSeconds, topology, disruptive))]);
  } finally {
    if (options.removeAfterwards === true) await removeWorkload(client);
  }
}

function portOf(server: ProbeServer | undefined): number | undefined {
  return server?.ports[0];
}

async function probeAll(cells: readonly Cell[], probers: Probers, { patience, signal, hooks = {} }: MatrixOptions & { readonly patience: number }): Promise<readonly CellResult[]> {
  const results = new Map<Cell, CellResult>();
  const done = (cell: Cell, result: CellResult): void => {
    results.set(cell, result);
    hooks.onCell?.(result, results.size, cells.length);
  };
  for (const cell of cells) if (cell.skip !== undefined) done(cell, judge(cell, []));
  const byPlace = Map.groupBy(cells.filter(({ skip }) => skip === undefined), ({ place }) => placeName(place));
  await Promise.all([...byPlace].flatMap(([name, queue]) => Array.from({ length: CELLS_AT_ONCE_PER_PLACE }, async () => {
    const prober = probers.at.get(name);
    for (let cell = queue.shift(); cell !== undefined && prober !== undefined; cell = queue.shift()) {
      signal?.throwIfAborted();
      done(cell, judge(cell, await probeCell(cell, prober, patience)));
    }
  })));
  return cells.flatMap((cell) => results.get(cell) ?? []);
}

/** The attempts of a cell, one after another: affinity and rate limits want it so. */
async function probeCell(cell: Cell, prober: Prober, patience: number): Promise<readonly ProbeResult[]> {
  const protocol = cell.protocol === 'UDP' ? 'udp' : cell.answeredBy === undefined && cell.expected === 'ok' ? 'connect' : 'tcp';
  const timeoutMs = (cell.expected === 'timeout' ? SILENCE_MS : TIMEOUT_MS) * patience;
  const attempts: ProbeResult[] = [];
  let failures = 0;
  while (attempts.length < cell.attempts && failures < ENOUGH_FAILURES) {
    const result = await prober.attempt({ protocol, host: cell.host, port: cell.port, timeoutMs, ...(cell.size === undefined ? {} : { size: cell.size }), ...lookupOf(cell) });
    attempts.push(result);
    if (outcomeOf(result) !== cell.expected) failures++;
  }
  return attempts;
}

/** The DNS is asked over the cell's own protocol and family. */
function lookupOf({ lookup, protocol, family }: Cell): Pick<ProbeRequest, 'lookup'> {
  return lookup === undefined ? {} : { lookup: { ...lookup, record: family === 'IPv6' ? 'AAAA' : 'A', transport: protocol === 'UDP' ? 'udp' : 'tcp' } };
}

async function withTraces(cells: readonly Cell[], results: readonly CellResult[], trace: NonNullable<MatrixHooks['trace']>): Promise<readonly CellResult[]> {
  const traced: CellResult[] = [];
  let left = TRACES_AT_MOST;
  for (const [i, result] of results.entries()) {
    const cell = cells[i];
    const line = result.result === 'failed' && cell !== undefined && left-- > 0 ? await trace(cell) : undefined;
    traced.push(line === undefined ? result : { ...result, trace: line });
  }
  return traced;
}

export function report(cells: readonly CellResult[]): MatrixReport {
  const count = (wanted: CellResult['result']): number => cells.filter(({ result }) => result === wanted).length;
  return { summary: { passed: count('passed'), failed: count('failed'), skipped: count('skipped') }, cells };
}
