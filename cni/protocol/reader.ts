import { CniError, cniCode } from './errors.ts';

export type Json = Readonly<Record<string, unknown>>;

/**
 * Reads typed keys of a JSON object; a wrong type is a `CniError` 7 that names the key and the value. Unknown keys are
 * left alone, as the specification wants. (A schema library would cost the executable more time than all of its work.)
 */
export class Reader {
  readonly #object: Json;
  readonly #path: string;

  constructor(value: unknown, path: string) {
    if (!isJson(value)) throw new CniError(cniCode.invalidConfig, `${path === '' ? 'network configuration' : path}: ${show(value)} is not a JSON object`);
    this.#object = value;
    this.#path = path;
  }

  get raw(): Json { return this.#object; }

  /** The value of a key; like the reference plugins' (Go's) decoder, another case of it will do when the exact one is missing. */
  value(key: string): unknown {
    const exact = this.#object[key];
    if (exact !== undefined) return exact;
    const lower = key.toLowerCase();
    const other = Object.keys(this.#object).find((each) => each.toLowerCase() === lower);
    return other === undefined ? undefined : this.#object[other];
  }

  pathOf(key: string): string { return this.#path === '' ? key : `${this.#path}.${key}`; }

  has(key: string): boolean {
    const value = this.value(key);
    return value !== undefined && value !== null;
  }

  fail(key: string, problem: string): never {
    throw new CniError(cniCode.invalidConfig, `${this.pathOf(key)}: ${show(this.value(key))} ${problem}`);
  }

  string(key: string): string | undefined {
    if (!this.has(key)) return undefined;
    const value = this.value(key);
    return typeof value === 'string' ? value : this.fail(key, 'is not a string');
  }

  /** A string that is not ''. */
  text(key: string): string | undefined {
    const value = this.string(key);
    return value === '' ? undefined : value;
  }

  boolean(key: string, fallback: boolean): boolean {
    if (!this.has(key)) return fallback;
    const value = this.value(key);
    return typeof value === 'boolean' ? value : this.fail(key, 'is not true or false');
  }

  integer(key: string, from: number, to: number): number | undefined {
    if (!this.has(key)) return undefined;
    const value = this.value(key);
    if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value;
    return this.fail(key, `is not an integer from ${from} to ${to}`);
  }

  object(key: string): Reader | undefined {
    return this.has(key) ? new Reader(this.value(key), this.pathOf(key)) : undefined;
  }

  list(key: string): readonly unknown[] | undefined {
    if (!this.has(key)) return undefined;
    const value = this.value(key);
    return Array.isArray(value) ? (value as unknown[]) : this.fail(key, 'is not a list');
  }

  objects(key: string): readonly Reader[] {
    return (this.list(key) ?? []).map((each, index) => new Reader(each, `${this.pathOf(key)}[${index}]`));
  }

  strings(key: string): readonly string[] | undefined {
    return this.list(key)?.map((each) => (typeof each === 'string' ? each : this.fail(key, 'is not a list of strings')));
  }
}

export const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

export const show = (value: unknown): string => {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
};

/** The entries of an object less those that are undefined: for types under exactOptionalPropertyTypes. */
export function defined<T extends object>(entries: { readonly [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined)) as T;
}
