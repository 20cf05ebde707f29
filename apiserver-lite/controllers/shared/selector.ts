// Label selectors as objects (metav1.LabelSelector), evaluated against a set of labels.
// https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements
import type { LabelSelector } from '@podwire/kube-client';

export type Labels = Readonly<Record<string, string>>;

/** True when every key of a plain selector (a Service's) has that value. An empty plain selector selects nothing. */
export function matchesLabels(selector: Labels | undefined, labels: Labels | undefined): boolean {
  const wanted = Object.entries(selector ?? {});
  return wanted.length > 0 && wanted.every(([key, value]) => labels?.[key] === value);
}

/** A missing selector selects nothing, an empty one everything: the rule of the API. */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels | undefined): boolean {
  if (selector === undefined) return false;
  const has = labels ?? {};
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (has[key] !== value) return false;
  }
  return (selector.matchExpressions ?? []).every(({ key, operator, values }) => matchesRequirement(has[key], operator, values ?? []));
}

/** One requirement; the label's value is `undefined` when the label is absent. `Gt` and `Lt` serve node affinity. */
export function matchesRequirement(value: string | undefined, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
