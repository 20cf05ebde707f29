import { duplicate, invalid } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';
import { ipFamily } from '../kinds/common/ip.ts';
import type { ServiceSpecInput } from './service-input.ts';
import { isHeadless } from './service-input.ts';

export type IpFamily = 'IPv4' | 'IPv6';
export type FamilyPlan = Readonly<{ families: readonly IpFamily[]; policy: string; errors: readonly FieldError[] }>;

/**
 * Which families a Service gets, in order, and under which policy. Families follow from ipFamilies, else from the addresses asked
 * for, else the cluster's primary one; a dual-stack policy adds the other when the cluster has it.
 */
export function planFamilies(spec: ServiceSpecInput, configured: readonly IpFamily[]): FamilyPlan {
  const errors: FieldError[] = [];
  const asked = (spec.clusterIPs ?? []).filter((ip) => ip !== 'None' && ip !== '');
  const given = (spec.ipFamilies ?? []) as readonly IpFamily[];
  const free = isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;

  given.forEach((family, index) => {
    if (given.indexOf(family) !== index) errors.push(duplicate(`spec.ipFamilies[${index}]`, family));
    // Endpoints of a headless Service without selector are the user's own: any family will do.
    else if (!free && !configured.includes(family)) errors.push(invalid(`spec.ipFamilies[${index}]`, family, 'not configured on this cluster'));
  });
  if (given.length > 2) errors.push(invalid('spec.ipFamilies', given, 'may only hold up to 2 values'));

  const policy = spec.ipFamilyPolicy ?? (free ? 'RequireDualStack' : 'SingleStack');
  // The real server asks for the policy, too: two addresses alone do not mean dual stack.
  for (const [what, list] of [['cluster IPs', asked], ['IP families', given]] as const) {
    if (policy === 'SingleStack' && list.length === 2) errors.push(invalid('spec.ipFamilyPolicy', policy, `must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`));
  }
  if (policy === 'RequireDualStack' && configured.length < 2 && !free) {
    errors.push(invalid('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services'));
  }

  const families: IpFamily[] = [...given];
  asked.forEach((ip, index) => {
    const family = ipFamily(ip);
    families[index] ??= family;
    if (families[index] !== family) errors.push(invalid(`spec.clusterIPs[${index}]`, ip, `expected an ${families[index]} value as indicated by \`spec.ipFamilies[${index}]\``));
  });
  const [primary = 'IPv4'] = configured;
  if (families.length === 0) families.push(primary);
  if (policy !== 'SingleStack' && families.length === 1) {
    const other: IpFamily = families[0] === 'IPv4' ? 'IPv6' : 'IPv4';
    if (free || configured.includes(other)) families.push(other);
  }
  return { families, policy, errors };
}
