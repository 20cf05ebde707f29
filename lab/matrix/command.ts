// `podwire matrix`: runs it on a lab, shows progress, prints the report; the exit code says whether all was as expected.
import { KubeClient, loadKubeconfig } from '@podwire/kube-client';
import { LabError } from '../errors.ts';
import type { Lab } from '../state/existing.ts';
import { traceCell } from './failed-cell-trace.ts';
import { symbolOf } from './judge.ts';
import { placesOfLab } from './lab-places.ts';
import { renderReport, REPORT_FORMATS } from './report.ts';
import { runMatrix } from './run.ts';
import type { MatrixHooks } from './options.ts';

export interface MatrixFlags {
  readonly output: string;
  readonly filter?: string;
  /** Change endpoints under load for so many seconds, too. */
  readonly churnSeconds?: number;
  /** Remove the probe pods and Services afterwards. */
  readonly removeAfterwards?: boolean;
}

/** Prints the report to standard output and progress to standard error. Returns 0, or 1 when a cell is not as expected. */
export async function matrixCommand(lab: Lab, flags: MatrixFlags): Promise<0 | 1> {
  const format = REPORT_FORMATS.find((one) => one === flags.output);
  if (format === undefined) throw new LabError('EUSAGE', `-o ${flags.output}: the formats are ${REPORT_FORMATS.join(', ')}`);
  const client = new KubeClient(loadKubeconfig(lab.names.kubeconfig), { userAgent: 'podwire-matrix' });
  // Interrupted, it still heals what it cut and removes what it made.
  const stop = new AbortController();
  const interrupt = (): void => { stop.abort(new LabError('EFAILED', 'interrupted; probe pods stay in namespace podwire-matrix')); };
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt);
  try {
    const { filter, removeAfterwards, churnSeconds } = flags;
    const report = await runMatrix({
      client, places: await placesOfLab(lab),
      ...(filter === undefined ? {} : { filter }),
      ...(removeAfterwards === undefined ? {} : { removeAfterwards }),
      ...(churnSeconds === undefined ? {} : { churnSeconds }),
      signal: stop.signal,
      hooks: { ...progress(), trace: (cell) => traceCell(lab, cell) },
    });
    process.stdout.write(renderReport(report, format));
    return report.summary.failed === 0 ? 0 : 1;
  } catch (error) {
    throw stop.signal.aborted ? stop.signal.reason : error; // an aborted wait says only that it was aborted
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
    client.close();
  }
}

/** A character per cell on a terminal, as they come; elsewhere a line per tenth. */
function progress(): MatrixHooks {
  const { stderr } = process;
  let tenths = 0;
  return {
    onPhase: (text) => { stderr.write(`matrix: ${text}\n`); },
    onCell: (result, done, total) => {
      if (stderr.isTTY) {
        stderr.write(done === total ? `${symbolOf(result)}\n` : symbolOf(result));
        return;
      }
      const now = Math.floor((done * 10) / total);
      if (now > tenths) stderr.write(`matrix: ${done} of ${total}\n`);
      tenths = now;
    },
  };
}
