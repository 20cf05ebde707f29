import { quantityValue } from '@podwire/kube-client';
import type { PodSpec } from 'kubernetes-types/core/v1.js';
import type { Loose } from './loose.ts';

/** Guaranteed: every container limits cpu and memory to what it requests. BestEffort: none requests or limits anything. */
export function qosClass(spec: Loose<PodSpec>): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  let guaranteed = true;
  let any = false;
  for (const { resources } of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) {
    for (const name of ['cpu', 'memory']) {
      const limit = quantityValue(resources?.limits?.[name]) ?? 0;
      const request = quantityValue(resources?.requests?.[name]) ?? limit;
      if (limit > 0 || request > 0) any = true;
      if (limit === 0 || limit !== request) guaranteed = false;
    }
  }
  if (!any) return 'BestEffort';
  return guaranteed ? 'Guaranteed' : 'Burstable';
}
