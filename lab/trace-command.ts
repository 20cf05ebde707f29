// `podwire trace`.
import { readFileSync } from 'node:fs';
import { LabError } from './errors.ts';
import { recordLab, renderHtml, renderText, renderTree, replay, saveRecording, traceLab } from './trace/index.ts';
import type { Lab } from './state/existing.ts';
import type { Trace } from './trace/index.ts';

export interface TraceFlags {
  readonly from: string;
  readonly to: string;
  readonly udp: boolean;
  readonly ipv6: boolean;
  readonly output: string;
  readonly size?: number;
  readonly sourcePort?: number;
}

const renderers: Readonly<Record<string, (trace: Trace) => string>> = {
  text: renderText,
  tree: renderTree,
  html: renderHtml,
  json: (trace) => JSON.stringify(trace, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value), 2),
};

function print(trace: Trace, output: string): 0 | 1 {
  const text = renderers[output]?.(trace) ?? renderText(trace);
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  return trace.verdict === 'DELIVERED' ? 0 : 1;
}

/** Prints the trace. Returns 0 when the packet was delivered, else 1. */
export async function traceCommand(lab: Lab, flags: TraceFlags): Promise<0 | 1> {
  const options = { from: flags.from, to: flags.to, protocol: flags.udp ? 'udp' as const : 'tcp' as const, ...(flags.ipv6 ? { family: 'IPv6' as const } : {}), ...(flags.size === undefined ? {} : { size: flags.size }), ...(flags.sourcePort === undefined ? {} : { sourcePort: flags.sourcePort }) };
  if (flags.output !== 'recording') return print(await traceLab(lab, options), flags.output);
  process.stdout.write(saveRecording(await recordLab(lab, options)));
  return 0;
}

/** Prints a saved trace: needs neither a cluster nor root. */
export function replayCommand(file: string, output: string): 0 | 1 {
  if (output === 'recording') throw new LabError('EUSAGE', `--replay ${file}: -o recording needs a packet; choose text, tree, json or html`);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new LabError('EUSAGE', `--replay ${file}: the file cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'}); save a trace with: podwire trace FROM TO -o json > ${file}`, { cause: error });
  }
  return print(replay(text, file), output);
}
