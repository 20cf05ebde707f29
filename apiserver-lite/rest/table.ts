import type { CachedObject } from '../cache/cached-object.ts';
import type { ApiObject, Column, ResourceDefinition } from '../registry/definition.ts';
import { ageSince } from '../conventions/age.ts';
import { apiVersionOf } from '../registry/registry.ts';

/** How a client wants objects: whole, as printed rows, or only their metadata. */
export type Form = Readonly<{
  as: 'object' | 'table' | 'metadata';
  includeObject?: 'None' | 'Metadata' | 'Object';
  /** The view through which whole objects are shown. */
  view?: ResourceDefinition;
}>;

/** The whole object as JSON, as this form shows it. */
function objectJson(cached: CachedObject, { view }: Form): string {
  return view?.view === undefined ? cached.json : JSON.stringify(view.view.fromStored(cached.copy()));
}

/** Reads `Accept: application/json;as=Table;v=v1;g=meta.k8s.io,application/json`. */
export function requestedForm(accept: string | undefined, query: URLSearchParams): Form {
  for (const range of (accept ?? '').split(',')) {
    const parameters = new Map(range.split(';').slice(1).map((part) => part.trim().split('=', 2) as [string, string]));
    const as = parameters.get('as');
    if (as === undefined) {
      if (/json|\*/.test(range)) break;
      continue;
    }
    if (parameters.get('v') !== 'v1') continue;
    if (as === 'Table') {
      const include = query.get('includeObject');
      return { as: 'table', includeObject: include === 'None' || include === 'Object' ? include : 'Metadata' };
    }
    if (as.startsWith('PartialObjectMetadata')) return { as: 'metadata' };
  }
  return { as: 'object' };
}

const defaultColumns: readonly Column[] = [
  { name: 'Name', type: 'string', format: 'name', description: 'Name of the object', cell: (object) => object.metadata.name },
  { name: 'Age', type: 'string', description: 'Time since creation', cell: ({ metadata: { creationTimestamp } }, nowMs) => ageSince(creationTimestamp, nowMs) },
];

const partial = (object: Readonly<ApiObject>): unknown => ({ kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata });

function tableText(definition: ResourceDefinition, objects: readonly CachedObject[], form: Form, metadata: unknown, nowMs: number, withColumns: boolean): string {
  const { includeObject } = form;
  const columns = definition.columns ?? defaultColumns;
  const columnDefinitions = withColumns ? columns.map(({ name, type, format = '', description = '', priority = 0 }) => ({ name, type, format, description, priority })) : null;
  const rows = objects.map((cached) => ({
    cells: columns.map((column) => column.cell(cached.object as ApiObject, nowMs)),
    object: includeObject === 'None' ? null : includeObject === 'Object' ? JSON.parse(objectJson(cached, form)) as unknown : partial(cached.object),
  }));
  return JSON.stringify({ kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions, rows });
}

export type ListMetadata = Readonly<{ resourceVersion: string; continue?: string; remainingItemCount?: number }>;

/** One object in the wanted form. `withColumns` is false for all but the first event of a watch. */
export function renderOne(definition: ResourceDefinition, object: CachedObject, form: Form, nowMs: number, withColumns = true): string {
  if (form.as === 'object') return objectJson(object, form);
  if (form.as === 'metadata') return JSON.stringify(partial(object.object));
  return tableText(definition, [object], form, { resourceVersion: String(object.revision) }, nowMs, withColumns);
}

export function renderList(definition: ResourceDefinition, objects: readonly CachedObject[], metadata: ListMetadata, form: Form, nowMs: number): string {
  if (form.as === 'table') return tableText(definition, objects, form, metadata, nowMs, true);
  if (form.as === 'metadata') return JSON.stringify({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', metadata, items: objects.map((each) => partial(each.object)) });
  return `{"kind":"${definition.kind}List","apiVersion":"${apiVersionOf(form.view ?? definition)}","metadata":${JSON.stringify(metadata)},"items":[${objects.map((each) => objectJson(each, form)).join(',')}]}`;
}
