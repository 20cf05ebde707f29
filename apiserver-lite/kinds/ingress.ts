import type { Ingress, IngressBackend } from 'kubernetes-types/networking/v1.js';
import { dns1035Faults, dnsSubdomainFaults, portNumberFaults } from '../conventions/names.ts';
import { defineResource } from '../registry/definition.ts';
import { forbidden, invalid, invalidEach, required } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn, textColumn } from './common/columns.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';

type LooseIngress = Loose<Ingress>;

export const ingress = defineResource<LooseIngress>({
  group: 'networking.k8s.io', version: 'v1', kind: 'Ingress', plural: 'ingresses', singular: 'ingress', shortNames: ['ing'],
  namespaced: true,
  schema: 'io.k8s.api.networking.v1.Ingress',
  subresources: { status: true },
  columns: [
    nameColumn,
    textColumn('Class', (object) => object.spec?.ingressClassName ?? object.metadata?.annotations?.['kubernetes.io/ingress.class']),
    rawColumn('Hosts', hosts),
    rawColumn('Address', (object) => (object.status?.loadBalancer?.ingress ?? []).map((entry) => entry.ip ?? entry.hostname ?? '').join(',')),
    rawColumn('Ports', (object) => ((object.spec?.tls ?? []).length > 0 ? '80, 443' : '80')),
    ageColumn,
  ],
  prepareCreate: (object) => {
    object.status = { loadBalancer: {} };
  },
  validate: ({ spec = {} }, { subresource }) => {
    const faults = new Faults();
    if (subresource === 'status') return faults.list;
    if ((spec.rules ?? []).length === 0 && spec.defaultBackend === undefined) faults.add(invalid('spec', spec.rules ?? [], 'either `defaultBackend` or `rules` must be specified'));
    if (spec.defaultBackend !== undefined) checkBackend(faults, 'spec.defaultBackend', spec.defaultBackend);
    spec.rules?.forEach((rule, index) => {
      const at = `spec.rules[${index}]`;
      if (rule.host !== undefined && rule.host !== '') faults.name(`${at}.host`, rule.host.replace(/^\*\./, ''), dnsSubdomainFaults);
      if (rule.http !== undefined && (rule.http.paths ?? []).length === 0) faults.add(required(`${at}.http.paths`));
      rule.http?.paths?.forEach((path, pathIndex) => {
        const where = `${at}.http.paths[${pathIndex}]`;
        if (path.pathType === undefined) faults.add(required(`${where}.pathType`, 'pathType must be specified'));
        faults.oneOf(`${where}.pathType`, path.pathType, ['Exact', 'ImplementationSpecific', 'Prefix']);
        if (path.pathType !== 'ImplementationSpecific' && path.path?.startsWith('/') !== true) faults.add(invalid(`${where}.path`, path.path ?? '', 'must be an absolute path'));
        checkBackend(faults, `${where}.backend`, path.backend ?? {});
      });
    });
    return faults.list;
  },
});

function checkBackend(faults: Faults, path: string, { service, resource }: Loose<IngressBackend>): void {
  if (service !== undefined && resource !== undefined) faults.add(forbidden(path, 'cannot set both resource and service backends'));
  else if (service === undefined && resource === undefined) faults.add(required(path, 'either `service` or `resource` must be specified'));
  if (service === undefined) return;
  faults.name(`${path}.service.name`, service.name, dns1035Faults);
  const { number, name } = service.port ?? {};
  if (number === undefined && (name === undefined || name === '')) faults.add(required(`${path}.service.port`, 'port name or number is required'));
  else if (number !== undefined) faults.add(...invalidEach(`${path}.service.port.number`, number, portNumberFaults(number)));
}

function hosts(object: LooseIngress): string {
  const names = (object.spec?.rules ?? []).map((rule) => rule.host ?? '').filter((host) => host !== '');
  if (names.length === 0) return '*';
  return names.length > 3 ? `${names.slice(0, 3).join(',')} + ${names.length - 3} more...` : names.join(',');
}
