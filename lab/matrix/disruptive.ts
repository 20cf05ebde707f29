// The cells that hurt: only with --disruptive.
import { disruptiveId } from './cell-builder.ts';
import { churn } from './churn.ts';
import { gentleRound, killRound } from './churn-moments.ts';
import { KILL_REACH_MS, churnResult } from './churn-result.ts';
import type { Cell, CellResult, Family, Path } from './model.ts';
import { judge } from './judge.ts';
import { nodeLoss, nodeLossPlan } from './node-loss.ts';
import type { MatrixOptions } from './options.ts';
import { placeName } from './places.ts';
import type { Place, Places } from './places.ts';
import { startProbers } from './prober.ts';
import { familyOf } from './topology.ts';
import type { Topology } from './topology.ts';
import { NAMESPACE, PORT } from './workload-objects.ts';

type ChurnPath = 'endpoints come and go' | 'pods are killed';
const CHURN_PATHS: readonly ChurnPath[] = ['endpoints come and go', 'pods are killed'];
/** Long enough for a change to be over before the next one; after a kill, longer than its reach. */
const GAP_MS: Readonly<Record<ChurnPath, number>> = { 'endpoints come and go': 4000, 'pods are killed': KILL_REACH_MS + 2000 };

const disruptiveCell = (path: Path, place: Place, to: string, protocol: 'TCP' | 'UDP', family: Family): Cell => ({
  id: disruptiveId({ path, place, protocol, family }), place, path, locality: 'any node', protocol, family, to, host: '', port: PORT, expected: 'ok', attempts: 0,
});

/** What there is to choose from: endpoints that come and go while a pod on each node asks without a pause, and a node that is lost. Pure. */
export function disruptiveCells({ pods, services }: Topology, { cutNode }: Pick<Places, 'cutNode'>): readonly Cell[] {
  const families = [...new Set((services.get('probe')?.clusterIPs ?? []).map(familyOf))];
  const askers = pods.filter(({ name }) => name.endsWith('-a')).map(({ name, node }): Place => ({ kind: 'pod', namespace: NAMESPACE, name, node }));
  const churning = CHURN_PATHS.flatMap((path) => askers.flatMap((place) => families.flatMap((family) => (['TCP', 'UDP'] as const).map((protocol) => disruptiveCell(path, place, 'svc churn', protocol, family)))));
  const plan = nodeLossPlan(pods);
  const host = services.get('probe')?.clusterIPs[0];
  if (plan === undefined || host === undefined) return churning;
  const loss = { ...disruptiveCell('node loss', plan.place, 'svc probe', 'TCP', familyOf(host)), host };
  return [...churning, cutNode === undefined ? { ...loss, skip: 'nothing here can cut a node off' } : loss];
}

/** One after another: endpoints come and go, pods are killed, a node is lost and comes back. Only what is among `cells`. */
export async function runDisruptive(options: MatrixOptions, seconds: number, topology: Topology, cells: readonly Cell[]): Promise<readonly CellResult[]> {
  const results: CellResult[] = [];
  for (const path of CHURN_PATHS) results.push(...(await comeAndGo(options, path, seconds, cells.filter((cell) => cell.path === path))));
  for (const cell of cells.filter(({ path }) => path === 'node loss')) results.push(cell.skip === undefined ? await loseNode(options, topology, cell) : judge(cell, []));
  return results;
}

async function comeAndGo({ client, places, image, signal, hooks }: MatrixOptions, path: ChurnPath, seconds: number, cells: readonly Cell[]): Promise<readonly CellResult[]> {
  if (cells.length === 0) return [];
  hooks?.onPhase?.(`${path} under load, ${seconds} s`);
  const from = [...new Map(cells.map(({ place }) => [placeName(place), place])).values()];
  await using probers = await startProbers(places, from);
  const isKill = path === 'pods are killed';
  const { streams, moments } = await churn({
    client, seconds, isKill, gapMs: GAP_MS[path], round: isKill ? killRound(client, places) : gentleRound(client),
    from: from.flatMap((place) => {
      const prober = probers.at.get(placeName(place));
      return prober === undefined ? [] : [{ place, prober }];
    }),
    ...(image === undefined ? {} : { image }), ...(signal === undefined ? {} : { signal }), onMoment: ({ what }) => hooks?.onPhase?.(`  ${what}`),
  });
  const wanted = new Set(cells.map(({ id }) => id));
  return streams.map((stream) => churnResult(path, stream, moments)).filter(({ id }) => wanted.has(id));
}

async function loseNode({ places, signal, hooks }: MatrixOptions, { pods }: Topology, { host }: Cell): Promise<CellResult> {
  const plan = nodeLossPlan(pods);
  if (places.cutNode === undefined || plan === undefined) throw new Error('a node loss was planned without a node');
  await using probers = await startProbers(places, [plan.place]);
  const prober = probers.at.get(placeName(plan.place));
  if (prober === undefined) throw new Error(`no prober at ${placeName(plan.place)}`);
  return await nodeLoss({
    ...plan, prober, host, cut: places.cutNode,
    ...(signal === undefined ? {} : { signal }), ...(hooks?.onPhase === undefined ? {} : { onPhase: hooks.onPhase }),
  });
}
