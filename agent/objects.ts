// The API objects that pods refer to, followed while at least one pod of this node needs them.
import { Informer, resources } from '@podwire/kube-client';
import type { ConfigMap, KubeClient, KubeObject, Pod, ReadonlyStore, ResourceDescriptor, Secret, Service } from '@podwire/kube-client';
import { serviceInformer } from './dns/objects.ts';
import type { ObjectSource } from './pods/deps.ts';

interface Followed { readonly informer: Informer<KubeObject>; readonly owners: Set<string> }
interface Token { readonly text: string; readonly renewAt: number }

const syncTimeoutMs = 20_000;

export class FollowedObjects implements ObjectSource {
  readonly #client: KubeClient;
  readonly #signal: AbortSignal;
  readonly #followed = new Map<string, Followed>();
  readonly #tokens = new Map<string, Token>();
  readonly #services: Informer<Service>;
  readonly #changed: (podUid: string) => void;
  readonly #onError: (error: Error) => void;

  constructor(client: KubeClient, signal: AbortSignal, changed: (podUid: string) => void, onError: (error: Error) => void) {
    this.#client = client;
    this.#signal = signal;
    this.#changed = changed;
    this.#onError = onError;
    this.#services = serviceInformer(client, onError).start(signal);
  }

  configMaps(namespace: string, names: ReadonlySet<string>, owner: string): Promise<ReadonlyMap<string, ConfigMap>> {
    return this.#objects(resources.configMaps, namespace, names, owner);
  }

  secrets(namespace: string, names: ReadonlySet<string>, owner: string): Promise<ReadonlyMap<string, Secret>> {
    return this.#objects(resources.secrets, namespace, names, owner);
  }

  async services(): Promise<readonly Service[]> {
    await this.#services.waitForSync(this.#limited());
    return this.#services.store.list();
  }

  get serviceStore(): ReadonlyStore<Service> {
    return this.#services.store;
  }

  /** A token bound to the pod, renewed at four fifths of its life. */
  async token(pod: Pod, audience: string | undefined, expirationSeconds: number): Promise<string> {
    const uid = pod.metadata?.uid ?? '';
    const key = `${uid}/${audience ?? ''}/${expirationSeconds}`;
    const known = this.#tokens.get(key);
    if (known !== undefined && Date.now() < known.renewAt) return known.text;
    const name = { namespace: pod.metadata?.namespace ?? 'default', name: pod.spec?.serviceAccountName ?? 'default' };
    const answer = await this.#client.createSubresource(resources.serviceAccounts, name, 'token', {
      apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest',
      spec: { audiences: audience === undefined ? [] : [audience], expirationSeconds, boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: pod.metadata?.name, uid } },
    }) as { status?: { token?: string; expirationTimestamp?: string } };
    const text = answer.status?.token ?? '';
    const expires = Date.parse(answer.status?.expirationTimestamp ?? '');
    const lifeMs = Number.isNaN(expires) ? expirationSeconds * 1000 : expires - Date.now();
    this.#tokens.set(key, { text, renewAt: Date.now() + lifeMs * 0.8 });
    const timer = setTimeout(() => this.#changed(uid), Math.min(lifeMs * 0.8 + 1000, 2 ** 31 - 1));
    timer.unref();
    return text;
  }

  release(owner: string): void {
    for (const [key, followed] of this.#followed) {
      if (!followed.owners.delete(owner) || followed.owners.size > 0) continue;
      this.#followed.delete(key);
      void followed.informer.stop();
    }
    for (const key of this.#tokens.keys()) if (key.startsWith(`${owner}/`)) this.#tokens.delete(key);
  }

  #limited(): AbortSignal {
    return AbortSignal.any([this.#signal, AbortSignal.timeout(syncTimeoutMs)]);
  }

  async #objects<T extends KubeObject>(resource: ResourceDescriptor<T>, namespace: string, names: ReadonlySet<string>, owner: string): Promise<ReadonlyMap<string, T>> {
    const found = new Map<string, T>();
    for (const name of names) {
      const followed = this.#follow(resource, namespace, name);
      followed.owners.add(owner);
      await followed.informer.waitForSync(this.#limited());
      const object = followed.informer.store.byKey(`${namespace}/${name}`);
      if (object !== undefined) found.set(name, object as T);
    }
    return found;
  }

  #follow(resource: ResourceDescriptor, namespace: string, name: string): Followed {
    const key = `${resource.plural}/${namespace}/${name}`;
    const known = this.#followed.get(key);
    if (known !== undefined) return known;
    const owners = new Set<string>();
    const tell = (): void => { for (const owner of owners) this.#changed(owner); };
    const informer = new Informer<KubeObject>({ client: this.#client, resource, namespace, fieldSelector: `metadata.name=${name}`, onError: this.#onError });
    informer.on({ add: tell, update: tell });
    const followed = { informer: informer.start(this.#signal), owners };
    this.#followed.set(key, followed);
    return followed;
  }
}
