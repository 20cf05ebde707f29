// The connectivity matrix: every path a packet can take through the cluster, probed, expected beside observed. See README.md.
export { runMatrix } from './run.ts';
export type { MatrixHooks, MatrixOptions } from './options.ts';
export { placesOfLab } from './lab-places.ts';
export { kubectlPlaces } from './kubectl-places.ts';
export type { Place, Places } from './places.ts';
export type { Cell, CellResult, MatrixReport, Path } from './model.ts';
export { removeWorkload } from './workload.ts';
export { renderReport } from './report.ts';
export type { ReportFormat } from './report.ts';
export { matrixCommand } from './command.ts';
export type { MatrixFlags } from './command.ts';
