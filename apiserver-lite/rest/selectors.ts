import type { ApiObject, ResourceDefinition } from '../registry/definition.ts';
import { badRequest } from '../http/status-error.ts';

export type Match = (object: Readonly<ApiObject>) => boolean;
type LabelTest = (labels: Readonly<Record<string, string>>) => boolean;

const term = /^\s*(?:(?<not>!)\s*(?<absent>[\w./-]+)|(?<key>[\w./-]+)\s*(?:(?<set>in|notin)\s*\((?<values>[^)]*)\)|(?<operator>==|=|!=|>|<)\s*(?<value>[\w.-]*))?)\s*(?:,|$)/;

/** `app=web,tier in (a,b),!canary`: the grammar of `kubectl -l`. Throws BadRequest. */
export function parseLabelSelector(text: string): LabelTest[] {
  const tests: LabelTest[] = [];
  let rest = text;
  while (rest.trim() !== '') {
    const found = term.exec(rest);
    if (found?.groups === undefined) throw badRequest(`unable to parse requirement: found '${rest}', expected a label selector such as app=web,tier in (a,b)`);
    tests.push(labelTest(found.groups));
    rest = rest.slice(found[0].length);
  }
  return tests;
}

function labelTest(groups: Readonly<Record<string, string | undefined>>): LabelTest {
  const { absent, key = '', set, values = '', operator, value = '' } = groups;
  if (absent !== undefined) return (labels) => !(absent in labels);
  if (set !== undefined) {
    const wanted = new Set(values.split(',').map((each) => each.trim()));
    return set === 'in' ? (labels) => wanted.has(labels[key] ?? '\0') : (labels) => !wanted.has(labels[key] ?? '\0');
  }
  switch (operator) {
    case undefined: return (labels) => key in labels;
    case '!=': return (labels) => labels[key] !== value;
    case '>': return (labels) => Number(labels[key]) > Number(value);
    case '<': return (labels) => Number(labels[key]) < Number(value);
    default: return (labels) => labels[key] === value;
  }
}

/** `spec.nodeName=node1,status.phase!=Running`, with the fields the kind declares. Throws BadRequest. */
export function parseFieldSelector(definition: ResourceDefinition, text: string): Match[] {
  return text.split(',').filter((part) => part.trim() !== '').map((part) => {
    const found = /^\s*([\w.]+)\s*(==|=|!=)\s*(.*?)\s*$/.exec(part);
    if (found === null) throw badRequest(`invalid field selector ${JSON.stringify(part)}; can't understand it`);
    const [, field = '', operator, value = ''] = found;
    const read = fieldReader(definition, field);
    if (read === undefined) throw badRequest(`field label not supported: ${field}`);
    return operator === '!=' ? (object: Readonly<ApiObject>) => read(object) !== value : (object: Readonly<ApiObject>) => read(object) === value;
  });
}

function fieldReader(definition: ResourceDefinition, field: string): ((object: Readonly<ApiObject>) => string) | undefined {
  if (field === 'metadata.name') return (object) => object.metadata.name;
  if (field === 'metadata.namespace') return (object) => object.metadata.namespace ?? '';
  return definition.selectableFields?.[field];
}

/** Undefined when everything matches. */
export function parseSelectors(definition: ResourceDefinition, query: URLSearchParams): Match | undefined {
  const labelText = query.get('labelSelector') ?? '';
  const fieldText = query.get('fieldSelector') ?? '';
  if (labelText === '' && fieldText === '') return undefined;
  const labels = parseLabelSelector(labelText);
  const fields = parseFieldSelector(definition, fieldText);
  return (object) => {
    const own = object.metadata.labels ?? {};
    return labels.every((test) => test(own)) && fields.every((match) => match(object));
  };
}
