// Images of containers: pull policy, credentials, one pull of an image at a time.
import type { Container, Pod, Secret } from '@podwire/kube-client';
import type { ContainerRuntime, ImageDetails, RegistryAuth } from '../runtime/runtime.ts';

/** A container whose image is not there and does not come. `reason` is what `kubectl get pods` shows. */
export class ImageError extends Error {
  override readonly name = 'ImageError';
  readonly code: 'ErrImagePull' | 'ErrImageNeverPull' | 'InvalidImageName';
  constructor(code: ImageError['code'], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

export type PullPolicy = 'Always' | 'IfNotPresent' | 'Never';

/** An image without a tag, or with `latest`, is pulled always; the API server sets the same default. */
export function pullPolicy(container: Container): PullPolicy {
  if (container.imagePullPolicy !== undefined) return container.imagePullPolicy as PullPolicy;
  const { tag, digest } = parseReference(container.image ?? '');
  return digest === undefined && tag === 'latest' ? 'Always' : 'IfNotPresent';
}

export interface Reference { readonly registry: string; readonly repository: string; readonly tag: string; readonly digest: string | undefined }

/** Parts of an image reference, with Docker's defaults. Throws an ImageError for a text that is none. */
export function parseReference(text: string): Reference {
  const match = /^(?<name>(?:[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?::\d+)?\/)?[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>[a-z0-9]+:[a-f0-9]{32,}))?$/iu.exec(text);
  const name = match?.groups?.['name'];
  if (name === undefined || name.slice(name.indexOf('/') + 1) !== name.slice(name.indexOf('/') + 1).toLowerCase()) {
    throw new ImageError('InvalidImageName', `Failed to apply default image tag "${text}": couldn't parse image name "${text}": invalid reference format`);
  }
  const first = name.split('/')[0] ?? '';
  const hasRegistry = name.includes('/') && (first.includes('.') || first.includes(':') || first === 'localhost');
  return {
    registry: hasRegistry ? first : 'docker.io', repository: hasRegistry ? name.slice(first.length + 1) : name,
    tag: match?.groups?.['tag'] ?? 'latest', digest: match?.groups?.['digest'],
  };
}

/** Credentials for a registry from the pod's imagePullSecrets (kubernetes.io/dockerconfigjson). */
export function registryAuth(reference: Reference, secrets: readonly Secret[]): RegistryAuth | undefined {
  for (const secret of secrets) {
    const encoded = secret.data?.['.dockerconfigjson'];
    if (encoded === undefined) continue;
    let auths: Record<string, { auth?: string; username?: string; password?: string; identitytoken?: string }>;
    try {
      auths = (JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as { auths?: typeof auths }).auths ?? {};
    } catch (error) {
      throw new ImageError('ErrImagePull', `imagePullSecret "${secret.metadata?.name ?? ''}": .dockerconfigjson is not JSON`, error);
    }
    for (const [server, entry] of Object.entries(auths)) {
      const host = server.replace(/^https?:\/\//u, '').split('/')[0] ?? '';
      if (host !== reference.registry && !(reference.registry === 'docker.io' && host === 'index.docker.io')) continue;
      const [username, ...rest] = Buffer.from(entry.auth ?? '', 'base64').toString('utf8').split(':');
      return {
        serveraddress: server,
        username: entry.username ?? username ?? '', password: entry.password ?? rest.join(':'),
        ...(entry.identitytoken === undefined ? {} : { identitytoken: entry.identitytoken }),
      };
    }
  }
  return undefined;
}

export interface PullReport { onPulling(image: string): void; onPulled(image: string, ms: number): void; onPresent(image: string): void }

export class ImagePuller {
  readonly #runtime: ContainerRuntime;
  readonly #pulls = new Map<string, Promise<void>>();

  constructor(runtime: ContainerRuntime) {
    this.#runtime = runtime;
  }

  /** The image on this node, pulled if the policy says so. Throws an ImageError. */
  async ensure(pod: Pod, container: Container, secrets: readonly Secret[], report: PullReport, signal: AbortSignal): Promise<ImageDetails> {
    const image = container.image ?? '';
    const reference = parseReference(image);
    const policy = pullPolicy(container);
    const present = await this.#runtime.images.inspect(image, signal);
    if (present !== undefined && policy !== 'Always') {
      report.onPresent(image);
      return present;
    }
    if (policy === 'Never') throw new ImageError('ErrImageNeverPull', `Container image "${image}" is not present with pull policy of Never`);
    report.onPulling(image);
    const started = Date.now();
    try {
      await this.#pull(image, registryAuth(reference, secrets), signal);
    } catch (error) {
      if (signal.aborted || error instanceof ImageError) throw error;
      throw new ImageError('ErrImagePull', `Failed to pull image "${image}" for pod ${pod.metadata?.name ?? ''}: ${error instanceof Error ? error.message : String(error)}`, error);
    }
    report.onPulled(image, Date.now() - started);
    const pulled = await this.#runtime.images.inspect(image, signal);
    if (pulled === undefined) throw new ImageError('ErrImagePull', `image "${image}" was pulled but the engine does not have it`);
    return pulled;
  }

  #pull(image: string, auth: RegistryAuth | undefined, signal: AbortSignal): Promise<void> {
    // Pods with different credentials must not ride on each other's pull.
    const key = `${image} ${auth?.username ?? ''}`;
    const running = this.#pulls.get(key);
    if (running !== undefined) return running;
    const tagged = /[:@][^/]*$/u.test(image) ? image : `${image}:latest`;
    const pull = this.#runtime.images.pull(tagged, auth, signal).finally(() => this.#pulls.delete(key));
    this.#pulls.set(key, pull);
    return pull;
  }
}
