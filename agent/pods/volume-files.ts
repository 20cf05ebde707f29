// What the file-like volumes hold: configMap, secret, downwardAPI, projected. Pure; the token is an input.
import type { ConfigMap, Pod, Secret, Volume } from '@podwire/kube-client';
import type { VolumeFile, VolumeFiles } from './atomic-files.ts';
import { fieldValue, resourceValue } from './field-ref.ts';
import type { NodeFacts } from './field-ref.ts';

export interface VolumeInputs {
  readonly configMaps: ReadonlyMap<string, ConfigMap>;
  readonly secrets: ReadonlyMap<string, Secret>;
  /** Tokens by the path of their file in the volume. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly node: NodeFacts;
}

/** A volume that cannot be made yet: an Event FailedMount says so, and it is tried again. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly code = 'FailedMount';
}

interface Item { readonly key: string; readonly path: string; readonly mode?: number }
type Downward = NonNullable<NonNullable<Volume['downwardAPI']>['items']>[number];

export function isFileVolume(volume: Volume): boolean {
  return volume.configMap !== undefined || volume.secret !== undefined || volume.downwardAPI !== undefined || volume.projected !== undefined;
}

/** Names of the objects that the pod's volumes are made of. */
export function volumeSources(pod: Pod): { configMaps: Set<string>; secrets: Set<string> } {
  const configMaps = new Set<string>();
  const secrets = new Set<string>();
  for (const volume of pod.spec?.volumes ?? []) {
    if (volume.configMap?.name !== undefined) configMaps.add(volume.configMap.name);
    if (volume.secret?.secretName !== undefined) secrets.add(volume.secret.secretName);
    for (const source of volume.projected?.sources ?? []) {
      if (source.configMap?.name !== undefined) configMaps.add(source.configMap.name);
      if (source.secret?.name !== undefined) secrets.add(source.secret.name);
    }
  }
  return { configMaps, secrets };
}

export interface TokenRequest { readonly path: string; readonly audience: string | undefined; readonly expirationSeconds: number }

export function tokenRequests(volume: Volume): TokenRequest[] {
  return (volume.projected?.sources ?? []).flatMap((source) => source.serviceAccountToken === undefined ? [] : [{
    path: source.serviceAccountToken.path, audience: source.serviceAccountToken.audience, expirationSeconds: source.serviceAccountToken.expirationSeconds ?? 3600,
  }]);
}

export function volumeFiles(pod: Pod, volume: Volume, inputs: VolumeInputs): VolumeFiles {
  const files = new Map<string, VolumeFile>();
  const add = (more: VolumeFiles): void => { for (const [name, file] of more) files.set(name, file); };
  if (volume.configMap !== undefined) add(fromConfigMap(volume.configMap, volume.configMap.defaultMode ?? 0o644, inputs));
  else if (volume.secret !== undefined) add(fromSecret({ ...volume.secret, name: volume.secret.secretName }, volume.secret.defaultMode ?? 0o644, inputs));
  else if (volume.downwardAPI !== undefined) add(fromDownward(pod, volume.downwardAPI.items ?? [], volume.downwardAPI.defaultMode ?? 0o644, inputs.node));
  const mode = volume.projected?.defaultMode ?? 0o644;
  for (const source of volume.projected?.sources ?? []) {
    if (source.configMap !== undefined) add(fromConfigMap(source.configMap, mode, inputs));
    if (source.secret !== undefined) add(fromSecret(source.secret, mode, inputs));
    if (source.downwardAPI !== undefined) add(fromDownward(pod, source.downwardAPI.items ?? [], mode, inputs.node));
    if (source.serviceAccountToken !== undefined) {
      const token = inputs.tokens.get(source.serviceAccountToken.path);
      if (token === undefined) throw new VolumeError(`volume "${volume.name}": no token for service account "${pod.spec?.serviceAccountName ?? 'default'}" yet`);
      add(new Map([[source.serviceAccountToken.path, { data: Buffer.from(token), mode: pod.spec?.securityContext?.fsGroup === undefined ? mode : mode | 0o040 }]]));
    }
  }
  return files;
}

interface Source { readonly name?: string | undefined; readonly optional?: boolean; readonly items?: readonly Item[] }

function fromConfigMap(source: Source, mode: number, inputs: VolumeInputs): VolumeFiles {
  const name = source.name ?? '';
  const found = inputs.configMaps.get(name);
  if (found === undefined && source.optional !== true) throw new VolumeError(`configmap "${name}" not found`);
  const all = new Map<string, Buffer>();
  for (const [key, text] of Object.entries(found?.data ?? {})) all.set(key, Buffer.from(text));
  for (const [key, text] of Object.entries(found?.binaryData ?? {})) all.set(key, Buffer.from(text, 'base64'));
  return select(all, source, mode, `configmap "${name}"`);
}

function fromSecret(source: Source, mode: number, inputs: VolumeInputs): VolumeFiles {
  const name = source.name ?? '';
  const found = inputs.secrets.get(name);
  if (found === undefined && source.optional !== true) throw new VolumeError(`secret "${name}" not found`);
  const all = new Map(Object.entries(found?.data ?? {}).map(([key, text]) => [key, Buffer.from(text, 'base64')]));
  return select(all, source, mode, `secret "${name}"`);
}

function select(all: ReadonlyMap<string, Buffer>, source: Source, mode: number, what: string): VolumeFiles {
  if (source.items === undefined || source.items.length === 0) return new Map([...all].map(([key, data]) => [key, { data, mode }]));
  const files = new Map<string, VolumeFile>();
  for (const item of source.items) {
    const data = all.get(item.key);
    if (data !== undefined) files.set(item.path, { data, mode: item.mode ?? mode });
    else if (source.optional !== true) throw new VolumeError(`${what} has no key "${item.key}"`);
  }
  return files;
}

function fromDownward(pod: Pod, items: readonly Downward[], mode: number, node: NodeFacts): VolumeFiles {
  return new Map(items.map((item) => {
    const whose = (pod.spec?.containers ?? []).find((one) => one.name === item.resourceFieldRef?.containerName);
    const text = item.fieldRef !== undefined ? fieldValue(pod, item.fieldRef.fieldPath, node)
      : item.resourceFieldRef !== undefined && whose !== undefined ? resourceValue(whose, item.resourceFieldRef.resource, item.resourceFieldRef.divisor, node) : '';
    return [item.path, { data: Buffer.from(text), mode: item.mode ?? mode }];
  }));
}
