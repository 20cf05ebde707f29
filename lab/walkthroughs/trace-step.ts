// A step whose observation is one traced packet.
import { verdictLine } from '../trace/index.ts';
import type { Trace } from '../trace/index.ts';
import type { Hop } from '../trace/index.ts';
import { step } from './model.ts';
import type { Step, TraceStepSpec } from './model.ts';

const hopLine = ({ netns, stage, device, table, chain, rule, before, after }: Hop): string => `  ${netns} ${stage === 'nftables' ? `${table ?? ''} ${chain ?? ''}: ${rule ?? ''}` : `${stage} ${device}`}\n      ${before}${after === undefined ? '' : `\n   -> ${after}`}`;

export function traceStep({ trace, check, hops = () => false, ...rest }: TraceStepSpec): Step {
  return step<Trace>({
    ...rest,
    observe: trace,
    show: (seen) => [verdictLine(seen), ...(seen.remedy === '' ? [] : [`remedy: ${seen.remedy}`]), ...[...seen.hops, ...seen.reply].filter(hops).map(hopLine)],
    check,
  });
}

export const isDelivered = ({ verdict }: Trace): boolean => verdict === 'DELIVERED';
/** The packet was put into a tunnel on its way there. */
export const isTunnelled = ({ hops }: Trace): boolean => hops.some(({ stage }) => stage === 'encapsulate');
export const hasRule = (trace: Trace, pattern: RegExp): boolean => trace.hops.some(({ rule }) => rule !== undefined && pattern.test(rule));
export const rewriting = ({ after }: Hop): boolean => after !== undefined;
