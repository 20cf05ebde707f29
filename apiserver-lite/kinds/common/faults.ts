import { canonicalJson } from '@podwire/kube-client';
import { duplicate, invalid, invalidEach, notSupported, required } from '../../registry/field-error.ts';
import type { FieldError } from '../../registry/field-error.ts';

/** Collects what is wrong, so that a user sees all of it at once. */
export class Faults {
  readonly list: FieldError[] = [];

  add(...errors: readonly FieldError[]): void {
    this.list.push(...errors);
  }

  /** A text by one of the rules of names.ts. Absent or empty is Required. */
  name(field: string, value: string | undefined, rule: (text: string) => string[]): void {
    if (value === undefined || value === '') this.list.push(required(field));
    else this.add(...invalidEach(field, value, rule(value)));
  }

  required(field: string, value: unknown, detail = ''): void {
    if (value === undefined || value === null || value === '') this.list.push(required(field, detail));
  }

  /** One of a closed set; absent is fine (a default or optional). */
  oneOf(field: string, value: string | undefined, supported: readonly string[]): void {
    if (value !== undefined && !supported.includes(value)) this.list.push(notSupported(field, value, supported));
  }

  nonNegative(field: string, value: number | undefined): void {
    if (value !== undefined && value < 0) this.list.push(invalid(field, value, 'must be greater than or equal to 0'));
  }

  positive(field: string, value: number | undefined): void {
    if (value !== undefined && value <= 0) this.list.push(invalid(field, value, 'must be greater than zero'));
  }

  /** Every element after the first with the same key. */
  unique<T>(field: (index: number) => string, items: readonly T[], key: (item: T) => string | undefined): void {
    const seen = new Set<string>();
    items.forEach((item, index) => {
      const value = key(item);
      if (value === undefined || value === '') return;
      if (seen.has(value)) this.list.push(duplicate(field(index), value));
      seen.add(value);
    });
  }

  immutable(field: string, value: unknown, old: unknown): void {
    if (!sameJson(value, old)) this.list.push(invalid(field, value, 'field is immutable'));
  }
}

/** Equal as JSON, whatever the order of keys. */
export function sameJson(a: unknown, b: unknown): boolean {
  return canonicalJson(a ?? null) === canonicalJson(b ?? null);
}
