import type { LabelSelector } from 'kubernetes-types/meta/v1.js';
import { labelValueFaults, qualifiedNameFaults } from '../../conventions/names.ts';
import { forbidden, invalidEach, notSupported, required } from '../../registry/field-error.ts';
import type { Faults } from './faults.ts';
import type { Loose } from './loose.ts';

type Labels = Readonly<Record<string, string | undefined>>;

export function checkLabels(faults: Faults, field: string, labels: Labels | undefined): void {
  for (const [key, value = ''] of Object.entries(labels ?? {})) {
    faults.add(...invalidEach(field, key, qualifiedNameFaults(key)));
    faults.add(...invalidEach(field, value, labelValueFaults(value)));
  }
}

export function checkSelector(faults: Faults, field: string, selector: Loose<LabelSelector> | undefined): void {
  checkLabels(faults, `${field}.matchLabels`, selector?.matchLabels);
  selector?.matchExpressions?.forEach((expression, index) => {
    const path = `${field}.matchExpressions[${index}]`;
    const values = expression.values ?? [];
    faults.name(`${path}.key`, expression.key, qualifiedNameFaults);
    switch (expression.operator) {
      case 'In':
      case 'NotIn':
        if (values.length === 0) faults.add(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
        break;
      case 'Exists':
      case 'DoesNotExist':
        if (values.length > 0) faults.add(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
        break;
      default:
        faults.add(notSupported(`${path}.operator`, expression.operator, ['In', 'NotIn', 'Exists', 'DoesNotExist']));
    }
  });
}

export function isEmptySelector(selector: Loose<LabelSelector> | undefined): boolean {
  return Object.keys(selector?.matchLabels ?? {}).length === 0 && (selector?.matchExpressions ?? []).length === 0;
}

/** Whether labels fulfil a LabelSelector; an empty selector matches everything. */
export function selectorMatches(selector: Loose<LabelSelector>, labels: Labels): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(([key, value]) => own(labels, key) === value)
    && (selector.matchExpressions ?? []).every(({ key = '', operator, values = [] }) => {
      const value = own(labels, key);
      switch (operator) {
        case 'In': return value !== undefined && values.includes(value);
        case 'NotIn': return value === undefined || !values.includes(value);
        case 'Exists': return value !== undefined;
        default: return value === undefined;
      }
    });
}

/** A selector for the key `constructor` must not find what every object inherits. */
function own(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
