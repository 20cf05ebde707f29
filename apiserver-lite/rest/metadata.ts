import { randomInt } from 'node:crypto';
import { dns1035Faults, dnsLabelFaults, dnsSubdomainFaults, labelValueFaults, qualifiedNameFaults } from '../conventions/names.ts';
import type { ApiObject, ResourceDefinition } from '../registry/definition.ts';
import { forbidden, invalid, invalidEach, required } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';

const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** Five characters that spell no word. */
export const nameSuffix = (): string => Array.from({ length: 5 }, () => suffixAlphabet[randomInt(suffixAlphabet.length)]).join('');

/** `generateName` plus a suffix, within the 63 characters of a label. */
export const generatedName = (base: string): string => `${base.slice(0, 58)}${nameSuffix()}`;

/** RFC 3339 with whole seconds, as Kubernetes writes times. */
export const timestamp = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function nameFaults(rule: ResourceDefinition['nameRule'], name: string): readonly string[] {
  switch (rule) {
    case 'path-segment':
      return name === '.' || name === '..' ? [`may not be '${name}'`] : /[/%]/.test(name) ? ["may not contain '/' or '%'"] : [];
    case 'dns-label':
      return dnsLabelFaults(name);
    case 'dns-1035-label':
      return dns1035Faults(name);
    default:
      return dnsSubdomainFaults(name);
  }
}

/** Name, namespace, labels, annotations, finalizers, owners: the rules that hold for every kind. */
export function validateMetadata(definition: ResourceDefinition, { metadata }: ApiObject): FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.name === '') errors.push(required('metadata.name', 'name or generateName is required'));
  else errors.push(...invalidEach('metadata.name', metadata.name, nameFaults(definition.nameRule, metadata.name)));
  if (!definition.namespaced && metadata.namespace !== undefined) errors.push(forbidden('metadata.namespace', 'not allowed on this type'));
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    errors.push(...invalidEach('metadata.labels', key, qualifiedNameFaults(key)));
    errors.push(...invalidEach('metadata.labels', value, labelValueFaults(value)));
  }
  let annotationBytes = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    errors.push(...invalidEach('metadata.annotations', key, qualifiedNameFaults(key.toLowerCase())));
    annotationBytes += key.length + Buffer.byteLength(value);
  }
  if (annotationBytes > 256 * 1024) errors.push({ type: 'TooLong', field: 'metadata.annotations', detail: `may not be more than ${256 * 1024} bytes` });
  for (const finalizer of metadata.finalizers ?? []) errors.push(...invalidEach('metadata.finalizers', finalizer, qualifiedNameFaults(finalizer)));
  for (const [index, owner] of (metadata.ownerReferences ?? []).entries()) {
    for (const key of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[key]) errors.push(invalid(`metadata.ownerReferences[${index}].${key}`, owner[key], `${key} must not be empty`));
    }
  }
  return errors;
}
