import { invalid } from '../../registry/field-error.ts';
import type { Faults } from './faults.ts';

const PERCENT_FAULT = "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')";

/** `2` or `25%`; `maxPercent` where more than that makes no sense. */
export function checkIntOrPercent(faults: Faults, field: string, value: number | string | undefined, maxPercent = Infinity): void {
  if (value === undefined) return;
  if (typeof value === 'number') faults.nonNegative(field, value);
  else if (!/^\d+%$/.test(value)) faults.add(invalid(field, value, PERCENT_FAULT));
  else if (Number.parseInt(value, 10) > maxPercent) faults.add(invalid(field, value, 'must not be greater than 100%'));
}

export function isZero(value: number | string | undefined): boolean {
  return value === 0 || value === '0%' || value === '0';
}
