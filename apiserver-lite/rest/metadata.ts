import { randomInt } from 'node:crypto';
import type { ApiObject, ResourceDefinition } from '../registry/definition.ts';
import { forbidden, invalid, required } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Five characters that spell no word. */
export const nameSuffix = (): string => Array.from({ length: 5 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('');

/** `generateName` plus a suffix, within the 63 characters of a label. */
export const generatedName = (base: string): string => `${base.slice(0, 58)}${nameSuffix()}`;

/** RFC 3339 with whole seconds, as Kubernetes writes times. */
export const timestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const labelRule = new RegExp(`^${label}$`);
const label1035Rule = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const subdomainRule = new RegExp(`^${label}(\\.${label})*$`);
const qualifiedRule = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

const subdomainText = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelText = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const label1035Text = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const qualifiedText = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValueText = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

function nameFault(rule: ResourceDefinition['nameRule'], name: string): string | undefined {
  switch (rule) {
    case 'path-segment':
      return name === '.' || name === '..' ? `may not be '${name}'` : /[/%]/.test(name) ? "may not contain '/' or '%'" : undefined;
    case 'dns-label':
      return name.length > 63 ? 'must be no more than 63 characters' : labelRule.test(name) ? undefined : labelText;
    case 'dns-1035-label':
      return name.length > 63 ? 'must be no more than 63 characters' : label1035Rule.test(name) ? undefined : label1035Text;
    default:
      return name.length > 253 ? 'must be no more than 253 characters' : subdomainRule.test(name) ? undefined : subdomainText;
  }
}

function qualifiedNameFault(key: string): string | undefined {
  const slash = key.indexOf('/');
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  if (prefix !== undefined && !subdomainRule.test(prefix)) return `prefix part ${subdomainText}`;
  if (name === '') return 'name part must be non-empty';
  if (name.length > 63) return 'name part must be no more than 63 characters';
  return qualifiedRule.test(name) ? undefined : qualifiedText;
}

/** Name, namespace, labels, annotations, finalizers, owners: the rules that hold for every kind. */
export function validateMetadata(definition: ResourceDefinition, { metadata }: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.name === '') errors.push(required('metadata.name', 'name or generateName is required'));
  else {
    const fault = nameFault(definition.nameRule, metadata.name);
    if (fault !== undefined) errors.push(invalid('metadata.name', metadata.name, fault));
  }
  if (!definition.namespaced && metadata.namespace !== undefined) errors.push(forbidden('metadata.namespace', 'not allowed on this type'));
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    const fault = qualifiedNameFault(key);
    if (fault !== undefined) errors.push(invalid('metadata.labels', key, fault));
    if (value.length > 63) errors.push(invalid('metadata.labels', value, 'must be no more than 63 characters'));
    else if (value !== '' && !qualifiedRule.test(value)) errors.push(invalid('metadata.labels', value, labelValueText));
  }
  let annotationBytes = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    const fault = qualifiedNameFault(key.toLowerCase());
    if (fault !== undefined) errors.push(invalid('metadata.annotations', key, fault));
    annotationBytes += key.length + Buffer.byteLength(value);
  }
  if (annotationBytes > 256 * 1024) errors.push({ type: 'TooLong', field: 'metadata.annotations', detail: `may not be more than ${256 * 1024} bytes` });
  for (const finalizer of metadata.finalizers ?? []) {
    const fault = qualifiedNameFault(finalizer);
    if (fault !== undefined) errors.push(invalid('metadata.finalizers', finalizer, fault));
  }
  for (const [index, owner] of (metadata.ownerReferences ?? []).entries()) {
    for (const key of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[key]) errors.push(invalid(`metadata.ownerReferences[${index}].${key}`, owner[key], `${key} must not be empty`));
    }
  }
  return errors;
}
