// Which resources exist, by the API server's own discovery.
import type { KubeClient, KubeObject, ResourceDescriptor } from '@podwire/kube-client';

interface ResourceList {
  readonly groupVersion: string;
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean; readonly verbs: readonly string[] }[];
}

interface GroupList {
  readonly groups: readonly { readonly name: string; readonly preferredVersion: { readonly groupVersion: string } }[];
}

/** Resources (no subresources) of every group's preferred version that have all these verbs. */
export async function discover(client: KubeClient, verbs: readonly string[]): Promise<readonly ResourceDescriptor[]> {
  const groups = (await client.json('/apis')) as GroupList;
  const paths = ['/api/v1', ...groups.groups.map(({ preferredVersion }) => `/apis/${preferredVersion.groupVersion}`)];
  const found: ResourceDescriptor[] = [];
  for (const path of paths) {
    const { groupVersion, resources } = (await client.json(path)) as ResourceList;
    const [group = '', version = 'v1'] = groupVersion.includes('/') ? groupVersion.split('/') : ['', groupVersion];
    for (const { name, kind, namespaced, verbs: offered } of resources) {
      if (!name.includes('/') && verbs.every((verb) => offered.includes(verb))) found.push({ group, version, plural: name, kind, namespaced });
    }
  }
  return found;
}

/** What the garbage collector follows: all that can be listed, watched and deleted, less Events, which own and are owned by nobody. */
export async function collectableResources(client: KubeClient): Promise<readonly ResourceDescriptor[]> {
  const all = await discover(client, ['list', 'watch', 'delete', 'patch']);
  return all.filter(({ kind }) => kind !== 'Event');
}

/** The metadata alone: all that the collector needs to keep. */
export function slim({ metadata }: KubeObject): KubeObject {
  if (metadata === undefined) return {};
  const { name, namespace, uid, ownerReferences, finalizers, deletionTimestamp } = metadata;
  return { metadata: { ...(name === undefined ? {} : { name }), ...(namespace === undefined ? {} : { namespace }), ...(uid === undefined ? {} : { uid }), ...(ownerReferences === undefined ? {} : { ownerReferences }), ...(finalizers === undefined ? {} : { finalizers }), ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }) } };
}
