import { quantityValue } from '@podwire/kube-client';
import type { ResourceRequirements } from 'kubernetes-types/core/v1.js';
import { qualifiedNameFaults } from '../../conventions/names.ts';
import { invalid, invalidEach } from '../../registry/field-error.ts';
import type { Faults } from './faults.ts';
import type { Loose } from './loose.ts';

type List = Readonly<Record<string, string | number | undefined>>;

export function checkResources(faults: Faults, path: string, resources: Loose<ResourceRequirements> | undefined): void {
  if (resources === undefined) return;
  const limits = checkQuantities(faults, `${path}.limits`, resources.limits);
  const requests = checkQuantities(faults, `${path}.requests`, resources.requests);
  for (const [name, request] of requests) {
    const limit = limits.get(name);
    if (limit !== undefined && request > limit) {
      faults.add(invalid(`${path}.requests`, resources.requests?.[name], `must be less than or equal to ${name} limit of ${String(resources.limits?.[name])}`));
    }
  }
}

const QUANTITY_FAULT = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** A list of resource quantities; returns those that are well formed, as numbers. */
export function checkQuantities(faults: Faults, path: string, list: List | undefined): Map<string, number> {
  const values = new Map<string, number>();
  for (const [name, text] of Object.entries(list ?? {})) {
    faults.add(...invalidEach(path, name, qualifiedNameFaults(name)));
    if (!name.includes('/') && !isStandardResource(name)) faults.add(invalid(path, name, 'must be a standard resource type or fully qualified'));
    const value = quantityValue(text);
    if (value === undefined) faults.add(invalid(`${path}[${name}]`, text, QUANTITY_FAULT));
    else if (value < 0) faults.add(invalid(`${path}[${name}]`, text, 'must be greater than or equal to 0'));
    else values.set(name, value);
  }
  return values;
}

function isStandardResource(name: string): boolean {
  return ['cpu', 'memory', 'ephemeral-storage', 'storage', 'pods'].includes(name) || name.startsWith('hugepages-')
    || /^(requests|limits|count)\./.test(name) || QUOTA_COUNTS.has(name);
}

const QUOTA_COUNTS = new Set(['services', 'replicationcontrollers', 'resourcequotas', 'secrets', 'configmaps', 'persistentvolumeclaims', 'services.nodeports', 'services.loadbalancers']);
