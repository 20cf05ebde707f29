import type { Container } from 'kubernetes-types/core/v1.js';
import type { LabelSelector } from 'kubernetes-types/meta/v1.js';
import { ageSince } from '../../conventions/age.ts';
import type { Cell, Column } from '../../registry/definition.ts';
import type { Loose } from './loose.ts';

/** The part of every object that the shared columns read. */
export type HasMetadata = { metadata?: { name?: string | undefined; creationTimestamp?: string | null | undefined } | undefined };

export const nameColumn: Column<HasMetadata> = { name: 'Name', type: 'string', format: 'name', cell: (object) => object.metadata?.name ?? '' };
export const ageColumn: Column<HasMetadata> = { name: 'Age', type: 'string', cell: (object, nowMs) => ageSince(object.metadata?.creationTimestamp, nowMs) };
export const createdAtColumn: Column<HasMetadata> = { name: 'Created At', type: 'date', cell: (object) => object.metadata?.creationTimestamp ?? '' };

/** A text column; absent and empty print as `<none>`. */
export function textColumn<T>(name: string, cell: (object: T, nowMs: number) => Cell | undefined, priority = 0): Column<T> {
  return { name, type: 'string', priority, cell: (object, nowMs) => orNone(cell(object, nowMs)) };
}

/** A text column that prints what it is given, also nothing. */
export function rawColumn<T>(name: string, cell: (object: T, nowMs: number) => string, priority = 0): Column<T> {
  return { name, type: 'string', priority, cell };
}

export function numberColumn<T>(name: string, cell: (object: T) => number | undefined, priority = 0): Column<T> {
  return { name, type: 'integer', priority, cell: (object) => cell(object) ?? 0 };
}

function orNone(value: Cell | undefined): Cell {
  return value === undefined || value === null || value === '' ? '<none>' : value;
}

type HasTemplate = { spec?: { template?: { spec?: { containers?: Loose<Container>[] | undefined } | undefined } | undefined } | undefined };

/** CONTAINERS and IMAGES of `-o wide` for everything with a pod template. */
export const containersColumn: Column<HasTemplate> = rawColumn('Containers', (object) => names(containersOf(object), 'name'), 1);
export const imagesColumn: Column<HasTemplate> = rawColumn('Images', (object) => names(containersOf(object), 'image'), 1);

function containersOf(object: HasTemplate): readonly Loose<Container>[] {
  return object.spec?.template?.spec?.containers ?? [];
}

function names(containers: readonly Loose<Container>[], key: 'name' | 'image'): string {
  return containers.map((container) => container[key] ?? '').join(',');
}

export const selectorColumn: Column<{ spec?: { selector?: Loose<LabelSelector> | undefined } | undefined }> =
  rawColumn('Selector', (object) => selectorText(object.spec?.selector), 1);

/** `app=web,tier in (a,b)`: a selector as kubectl writes it. */
export function selectorText(selector: Loose<LabelSelector> | undefined): string {
  if (selector === undefined) return '<none>';
  const parts = Object.entries(selector.matchLabels ?? {}).map(([key, value]) => `${key}=${String(value)}`);
  for (const { key = '', operator, values = [] } of selector.matchExpressions ?? []) {
    if (operator === 'Exists') parts.push(key);
    else if (operator === 'DoesNotExist') parts.push(`!${key}`);
    else parts.push(`${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].sort().join(',')})`);
  }
  return parts.length === 0 ? '<none>' : parts.sort().join(',');
}

/** `a=b,c=d`, or `<none>`: a plain map of labels. */
export function labelsText(labels: Readonly<Record<string, string | undefined>> | undefined): string {
  const entries = Object.entries(labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  return entries.length === 0 ? '<none>' : entries.map(([key, value]) => `${key}=${value ?? ''}`).join(',');
}
