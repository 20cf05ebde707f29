// A trace for the terminal: the verdict first, then numbered steps. Pure.
import { causeText } from '../correlate/world.ts';
import type { Hop, Trace } from '../model.ts';

export function verdictLine({ verdict, where, reason, latencyMs }: Trace): string {
  if (verdict === 'DELIVERED') return `DELIVERED to ${where} in ${latencyMs.toFixed(2)} ms`;
  return `${verdict} at ${where}: ${reason}`;
}

function hopLines(hop: Hop): readonly string[] {
  const rule = hop.stage === 'nftables' ? ` ${hop.table ?? ''} ${hop.chain ?? ''}` : '';
  const device = hop.device === '' ? '' : ` ${hop.device}`;
  return [
    `${String(hop.n).padStart(3)}. ${hop.netns} ${hop.stage}${rule === '' ? device : rule}  +${hop.atMs.toFixed(3)} ms`,
    ...(hop.rule === undefined ? [] : [`     rule    ${hop.rule}`]),
    ...(hop.cause === undefined ? [] : [`     for     ${causeText(hop.cause)}`]),
    `     packet  ${hop.before}`,
    ...(hop.after === undefined ? [] : [`     becomes ${hop.after}`]),
    ...(hop.conntrack === undefined ? [] : [`     tracked ${hop.conntrack}`]),
    `     why     ${hop.why}`,
    `     see     ${hop.command}`,
  ];
}

export function renderText(trace: Trace): string {
  const lines = [
    verdictLine(trace), `${trace.from} -> ${trace.to} over ${trace.protocol}`,
    ...(trace.remedy === '' ? [] : [`Remedy: ${trace.remedy}`]),
    `Predicted: ${trace.predicted.text}${trace.agrees ? '' : '   <- the observation DISAGREES'}`, '', 'Request',
    ...trace.hops.flatMap(hopLines), '', trace.reply.length === 0 ? 'Reply: none was seen' : 'Reply', ...trace.reply.flatMap(hopLines),
    ...trace.notes.map((note) => `note: ${note}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** One line per hop, indented by the namespaces the packet enters: the shape of the way at a glance. */
export function renderTree(trace: Trace): string {
  const side = (hops: readonly Hop[]): readonly string[] => {
    let place = '';
    return hops.flatMap((hop) => {
      const opened = hop.netns === place ? [] : [`├─ ${hop.netns}`];
      place = hop.netns;
      const what = hop.stage === 'nftables' ? `${hop.table ?? ''} ${hop.chain ?? ''}: ${hop.rule ?? ''}${hop.after === undefined ? '' : `  => ${hop.after}`}` : `${hop.stage} ${hop.device}  ${hop.after ?? hop.before}`;
      return [...opened, `│  ├─ ${what}`];
    });
  };
  return `${[verdictLine(trace), 'request', ...side(trace.hops), 'reply', ...side(trace.reply)].join('\n')}\n`;
}
