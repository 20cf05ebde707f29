import type { Secret } from 'kubernetes-types/core/v1.js';
import { defineResource } from '../registry/definition.ts';
import { invalid, required } from '../registry/field-error.ts';
import { ageColumn, nameColumn, rawColumn } from './common/columns.ts';
import { checkDataKeys, checkDataUpdate, dataSizeFault } from './common/data-keys.ts';
import { Faults } from './common/faults.ts';
import type { Loose } from './common/loose.ts';
import { setDefault } from './common/loose.ts';

type LooseSecret = Loose<Secret>;

/** Keys that a type promises to its readers. */
const requiredKeys = new Map([
  ['kubernetes.io/dockercfg', ['.dockercfg']],
  ['kubernetes.io/dockerconfigjson', ['.dockerconfigjson']],
  ['kubernetes.io/ssh-auth', ['ssh-privatekey']],
  ['kubernetes.io/tls', ['tls.crt', 'tls.key']],
]);

export const secret = defineResource<LooseSecret>({
  group: '', version: 'v1', kind: 'Secret', plural: 'secrets', singular: 'secret',
  namespaced: true,
  schema: 'io.k8s.api.core.v1.Secret',
  columns: [
    nameColumn,
    rawColumn('Type', (object) => object.type ?? ''),
    { name: 'Data', type: 'string', cell: (object) => Object.keys(object.data ?? {}).length },
    ageColumn,
  ],
  selectableFields: { type: (object) => object.type ?? '' },
  hasGeneration: false,
  defaults: (object) => {
    setDefault(object, 'type', 'Opaque');
    mergeStringData(object);
  },
  validate: (object, { old }) => {
    const faults = new Faults();
    checkDataKeys(faults, 'data', object.data);
    for (const [key, value] of Object.entries(object.data ?? {})) {
      if (!isBase64(value ?? '')) faults.add(invalid(`data[${key}]`, '<redacted>', 'must be base64; plain text belongs in stringData'));
    }
    for (const key of requiredKeys.get(object.type ?? '') ?? []) {
      if (object.data?.[key] === undefined) faults.add(required(`data[${key}]`));
    }
    const account = object.metadata?.annotations?.['kubernetes.io/service-account.name'];
    if (object.type === 'kubernetes.io/service-account-token' && (account ?? '') === '') {
      faults.add(required('metadata.annotations[kubernetes.io/service-account.name]'));
    }
    faults.add(...dataSizeFault('data', [object.data]));
    if (old !== undefined) faults.immutable('type', object.type, old.type);
    checkDataUpdate(faults, object, old, ['data']);
    return faults.list;
  },
});

/** stringData is write-only convenience: it overrides data and is never stored. */
function mergeStringData(object: LooseSecret): void {
  if (object.stringData === undefined) return;
  const data: Record<string, string | undefined> = (object.data ??= {});
  for (const [key, value] of Object.entries(object.stringData)) data[key] = Buffer.from(value ?? '').toString('base64');
  delete object.stringData;
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text) && text.replace(/\s/g, '').length % 4 === 0;
}
