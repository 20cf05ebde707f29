import type { PodSpec, ServiceAccount } from 'kubernetes-types/core/v1.js';
import { forbiddenError } from '../http/status-error.ts';
import type { Loose } from '../kinds/common/loose.ts';
import { nameSuffix } from '../rest/metadata.ts';
import type { Admission } from '../rest/context.ts';
import { lookUp } from './lookup.ts';

const accounts = { group: '', resource: 'serviceaccounts' };
/** Where every client library looks for its token. */
const MOUNT_PATH = '/var/run/secrets/kubernetes.io/serviceaccount';
/** One hour and seven seconds: tells tokens mounted by admission from those asked for by hand, as kube-apiserver does. */
const TOKEN_SECONDS = 3607;

/** Pods run as a ServiceAccount: it must exist, lends its pull secrets, and its token is mounted into every container. */
export const serviceAccount: Admission = (context, { operation, definition, namespace, object }) => {
  if (operation !== 'create' || definition.kind !== 'Pod') return;
  const spec = object['spec'] as Loose<PodSpec> | undefined;
  if (spec === undefined) return;
  const name = spec.serviceAccountName ?? 'default';
  const account = lookUp(context, accounts, namespace, name) as ServiceAccount | undefined;
  if (account === undefined) {
    // A controller makes the default account of a new namespace; pods that come before it do not fail, they go without.
    if (name === 'default') return;
    throw forbiddenError(definition, object.metadata.name, `error looking up service account ${namespace ?? ''}/${name}: serviceaccount "${name}" not found`);
  }
  if ((spec.imagePullSecrets ?? []).length === 0 && account.imagePullSecrets !== undefined) spec.imagePullSecrets = account.imagePullSecrets.map((secret) => ({ ...secret }));
  if (spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(spec);
};

function mountToken(spec: Loose<PodSpec>): void {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const bare = containers.filter((container) => !(container.volumeMounts ?? []).some((mount) => mount.mountPath === MOUNT_PATH));
  if (bare.length === 0) return;
  const name = `kube-api-access-${nameSuffix()}`;
  (spec.volumes ??= []).push({
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { expirationSeconds: TOKEN_SECONDS, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
      ],
    },
  });
  for (const container of bare) (container.volumeMounts ??= []).push({ name, mountPath: MOUNT_PATH, readOnly: true });
}
