// Namespaces: what a new one must contain, and how one that is deleted is emptied.
import type { Namespace, ResourceDescriptor } from '@podwire/kube-client';
import { isAlreadyExists, isConflict, isNotFound, keyOf, resources } from '@podwire/kube-client';
import { discover } from '../cleanup/resources.ts';
import { enqueueOn } from '../shared/context.ts';
import type { ControllerContext } from '../shared/context.ts';

const retryMs = 1000;

export function startNamespaceController(context: ControllerContext): void {
  const namespaces = context.informer(resources.namespaces);
  const accounts = context.informer(resources.serviceAccounts);
  const configMaps = context.informer(resources.configMaps);
  const queue = context.queue('namespace', async (name) => {
    await Promise.all([namespaces, accounts, configMaps].map(async (informer) => informer.waitForSync(context.signal)));
    const namespace = namespaces.store.byKey(name);
    if (namespace === undefined) return;
    if (namespace.metadata?.deletionTimestamp === undefined) await furnish(name);
    else await empty(namespace, name);
  });

  /** Every namespace has the ServiceAccount that its pods run as and the CA by which they know the API server. */
  async function furnish(namespace: string): Promise<void> {
    if (accounts.store.byKey(`${namespace}/default`) === undefined) await unlessThere(async () => context.client.create(resources.serviceAccounts, { metadata: { name: 'default', namespace } }));
    const { rootCa } = context.settings;
    const published = configMaps.store.byKey(`${namespace}/kube-root-ca.crt`);
    if (rootCa === undefined || published?.data?.['ca.crt'] === rootCa) return;
    const wanted = { metadata: { name: 'kube-root-ca.crt', namespace }, data: { 'ca.crt': rootCa } };
    if (published === undefined) await unlessThere(async () => context.client.create(resources.configMaps, wanted));
    else await context.client.patch(resources.configMaps, wanted.metadata, 'merge', { data: wanted.data });
  }

  /** Deletes all that is in the namespace; when nothing is left, lets the namespace itself go. */
  async function empty(namespace: Namespace, name: string): Promise<void> {
    const kinds = (await discover(context.client, ['list', 'delete'])).filter(({ namespaced }) => namespaced);
    let left = 0;
    for (const kind of kinds) left += await emptyOf(kind, name);
    if (left > 0) {
      queue.addAfter(name, retryMs);
      return;
    }
    const finalizers = (namespace.spec?.finalizers ?? []).filter((one) => one !== 'kubernetes');
    try {
      await context.client.update(resources.namespaces, { ...namespace, spec: { ...namespace.spec, finalizers } }, { subresource: 'finalize' });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  /** Asks for the deletion of every object of one kind; says how many are still there. */
  async function emptyOf(kind: ResourceDescriptor, namespace: string): Promise<number> {
    const { items } = await context.client.list(kind, { namespace });
    for (const item of items) {
      if (item.metadata?.deletionTimestamp !== undefined) continue;
      await context.client.deleteIfThere(kind, { namespace, name: item.metadata?.name ?? '' }, { propagationPolicy: 'Background' });
    }
    return items.length;
  }

  enqueueOn(namespaces, queue);
  accounts.on({ delete: ({ metadata }) => queue.add(metadata?.namespace ?? '') });
  configMaps.on({ delete: (map) => { if (keyOf(map).endsWith('/kube-root-ca.crt')) queue.add(map.metadata?.namespace ?? ''); } });
}

async function unlessThere(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}
