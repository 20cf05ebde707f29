// NodeUnschedulable and TaintToleration. https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/
import type { Pod, Taint, Toleration } from '@podwire/kube-client';
import { normalizeToMax } from '../framework.ts';
import type { FilterPlugin, ScorePlugin } from '../framework.ts';

/** Whether one toleration covers one taint: an empty key covers all keys, an empty effect all effects. */
export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect !== undefined && toleration.effect !== '' && toleration.effect !== taint.effect) return false;
  if (toleration.key !== undefined && toleration.key !== '' && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return (toleration.key ?? '') !== '' && (toleration.value ?? '') === (taint.value ?? '');
}

const isTolerated = (pod: Pod, taint: Taint): boolean => (pod.spec?.tolerations ?? []).some((toleration) => tolerates(toleration, taint));

export const nodeUnschedulable: FilterPlugin = {
  name: 'NodeUnschedulable',
  filter: (pod, { node }) => {
    if (node.spec?.unschedulable !== true) return undefined;
    return isTolerated(pod, { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' }) ? undefined : 'node(s) were unschedulable';
  },
};

export const taintToleration: FilterPlugin & ScorePlugin = {
  name: 'TaintToleration',
  weight: 3,
  filter: (pod, { node }) => {
    const taint = (node.spec?.taints ?? []).find((one) => one.effect !== 'PreferNoSchedule' && !isTolerated(pod, one));
    return taint === undefined ? undefined : `node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`;
  },
  score: (pod, { node }) => (node.spec?.taints ?? []).filter((taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(pod, taint)).length,
  normalize: (scores) => normalizeToMax(scores, true),
};
