import { dataKeyFaults } from '../../conventions/names.ts';
import { forbidden, invalidEach, tooLong } from '../../registry/field-error.ts';
import type { FieldError } from '../../registry/field-error.ts';
import { sameJson } from './faults.ts';
import type { Faults } from './faults.ts';

/** ConfigMaps and Secrets hold up to 1 MiB: they are kept whole in many memories. */
const MAX_BYTES = 1024 * 1024;
type Data = Readonly<Record<string, string | undefined>>;

export function checkDataKeys(faults: Faults, field: string, data: Data | undefined): void {
  for (const key of Object.keys(data ?? {})) {
    faults.add(...invalidEach(`${field}[${key}]`, key, dataKeyFaults(key)));
  }
}

export function dataSizeFault(field: string, maps: readonly (Data | undefined)[]): FieldError[] {
  let bytes = 0;
  for (const map of maps) for (const value of Object.values(map ?? {})) bytes += Buffer.byteLength(value ?? '');
  return bytes > MAX_BYTES ? [tooLong(field, '', MAX_BYTES)] : [];
}

type Immutable = { immutable?: boolean | undefined };

/** `immutable: true` can only be left by deleting the object. */
export function checkDataUpdate<T extends Immutable>(faults: Faults, object: T, old: T | undefined, fields: readonly (keyof T & string)[]): void {
  if (old?.immutable !== true) return;
  if (object.immutable !== true) faults.add(forbidden('immutable', 'field is immutable when `immutable` is set'));
  for (const field of fields) {
    if (!sameJson(object[field], old[field])) faults.add(forbidden(field, 'field is immutable when `immutable` is set'));
  }
}
