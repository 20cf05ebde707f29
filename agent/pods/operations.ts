// Carries out the actions of a plan. Each is safe to repeat and may be cut off at any point: the next look at the engine tells how far it came.
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { referenceTo, resources } from '@podwire/kube-client';
import type { Container, ObjectReference, Pod, Volume } from '@podwire/kube-client';
import type { CheckTarget } from '../probes/check.ts';
import type { ImageDetails, RuntimeContainer } from '../runtime/runtime.ts';
import type { PodDeps } from './deps.ts';
import { containerEnv, envSources } from './env.ts';
import { execOnce } from './exec-once.ts';
import type { NodeFacts } from './field-ref.ts';
import { runHook } from './hooks.ts';
import { attemptOf, initContainers, mainContainers, runningSandbox, uidOf } from './observed.ts';
import type { Observed, SandboxNetwork } from './observed.ts';
import type { Action } from './plan.ts';
import { removeNetworkRecord, writeNetworkRecord } from './pod-record.ts';
import { hostsText, podHostname, podResolver, resolvConfText } from './sandbox-files.ts';
import { containerSpec, sandboxSpec } from './specs.ts';
import { tokenRequests, VolumeError, volumeSources } from './volume-files.ts';
import type { VolumeInputs } from './volume-files.ts';

type StartContainer = Extract<Action, { kind: 'start-container' }>;

export class Operations {
  readonly #deps: PodDeps;

  constructor(deps: PodDeps) {
    this.#deps = deps;
  }

  event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string, container?: string): void {
    const init = initContainers(pod).some((one) => one.name === container);
    const field = container === undefined ? undefined : `spec.${init ? 'initContainers' : 'containers'}{${container}}`;
    const reference: ObjectReference = referenceTo(resources.pods, pod, field);
    this.#deps.api.record(reference, type, reason, message);
  }

  async createSandbox(pod: Pod, attempt: number, signal: AbortSignal): Promise<void> {
    const { runtime, settings, images } = this.#deps;
    const spec = sandboxSpec(pod, attempt, podHostname(pod, settings.nodeName), settings);
    if (await runtime.images.inspect(spec.image, signal) === undefined) {
      const silent = { onPulling: () => undefined, onPulled: () => undefined, onPresent: () => undefined };
      await images.ensure(pod, { name: 'POD', image: spec.image }, [], silent, signal);
    }
    const id = await runtime.containers.create(spec, signal);
    await runtime.containers.start(id, signal);
  }

  async attachNetwork(pod: Pod, sandbox: RuntimeContainer): Promise<SandboxNetwork> {
    const { network, volumes, settings } = this.#deps;
    const ips = pod.spec?.hostNetwork === true ? this.#deps.hostIPs : await network.attach(pod, sandbox);
    const dir = volumes.podDir(uidOf(pod));
    await mkdir(dir, { recursive: true });
    const hostname = podHostname(pod, settings.nodeName);
    const dns = this.#deps.dns();
    await writeFile(path.join(dir, 'hosts'), hostsText(pod, hostname, ips, dns.clusterDomain));
    await writeFile(path.join(dir, 'hostname'), `${hostname}\n`);
    await writeFile(path.join(dir, 'resolv.conf'), resolvConfText(podResolver(pod, dns)));
    const record = { sandboxId: sandbox.id, ips };
    await writeNetworkRecord(dir, record);
    return record;
  }

  async removeSandbox(pod: Pod, id: string, signal: AbortSignal): Promise<void> {
    const { network, runtime, volumes } = this.#deps;
    await network.detach(id);
    await removeNetworkRecord(volumes.podDir(uidOf(pod)));
    await runtime.containers.remove(id, signal);
  }

  /** Creates and starts a container. Throws ImageError, ContainerConfigError or VolumeError for what the user can mend. */
  async startContainer(pod: Pod, observed: Observed, action: StartContainer, signal: AbortSignal): Promise<string> {
    const { runtime, volumes, settings } = this.#deps;
    const { container } = action;
    const facts = this.#facts(observed);
    await volumes.setUp(pod, (volume) => this.volumeInputs(pod, volume, observed));
    const image = await this.#image(pod, container, signal);
    const env = containerEnv(pod, container, await this.#envSources(pod, container), facts);
    const sandbox = runningSandbox(observed);
    const spec = containerSpec({
      pod, container, env, attempt: action.attempt, crashCount: action.crashCount, sandboxId: action.sandboxId,
      sandboxAttempt: sandbox === undefined ? 0 : attemptOf(sandbox),
      mounts: await volumes.mounts(pod, container, action.attempt, env), imageUser: image.user, imageId: image.id,
    }, settings);
    const id = await runtime.containers.create(spec, signal);
    this.event(pod, 'Normal', 'Created', `Created container: ${container.name}`, container.name);
    await runtime.containers.start(id, signal);
    this.event(pod, 'Normal', 'Started', `Started container ${container.name}`, container.name);
    return id;
  }

  async #image(pod: Pod, container: Container, signal: AbortSignal): Promise<ImageDetails> {
    const names = new Set((pod.spec?.imagePullSecrets ?? []).map((reference) => reference.name ?? ''));
    const secrets = names.size === 0 ? [] : [...(await this.#deps.objects.secrets(pod.metadata?.namespace ?? 'default', names, uidOf(pod))).values()];
    return this.#deps.images.ensure(pod, container, secrets, {
      onPulling: (image) => this.event(pod, 'Normal', 'Pulling', `Pulling image "${image}"`, container.name),
      onPulled: (image, ms) => this.event(pod, 'Normal', 'Pulled', `Successfully pulled image "${image}" in ${ms}ms`, container.name),
      onPresent: (image) => this.event(pod, 'Normal', 'Pulled', `Container image "${image}" already present on machine`, container.name),
    }, signal);
  }

  async #envSources(pod: Pod, container: Container): Promise<Parameters<typeof containerEnv>[2]> {
    const { objects } = this.#deps;
    const names = envSources([container]);
    const namespace = pod.metadata?.namespace ?? 'default';
    return {
      configMaps: await objects.configMaps(namespace, names.configMaps, uidOf(pod)),
      secrets: await objects.secrets(namespace, names.secrets, uidOf(pod)),
      services: await objects.services(),
    };
  }

  #facts(observed: Observed): NodeFacts {
    const { settings, hostIPs, allocatable } = this.#deps;
    return { name: settings.nodeName, hostIPs, podIPs: observed.network?.ips ?? [], allocatableCpu: allocatable.cpu, allocatableMemory: allocatable.memory };
  }

  async volumeInputs(pod: Pod, volume: Volume, observed: Observed): Promise<VolumeInputs> {
    const { objects } = this.#deps;
    const names = volumeSources({ ...pod, spec: { containers: [], volumes: [volume] } });
    const namespace = pod.metadata?.namespace ?? 'default';
    const tokens = new Map<string, string>();
    for (const request of tokenRequests(volume)) {
      try {
        tokens.set(request.path, await objects.token(pod, request.audience, request.expirationSeconds));
      } catch (error) {
        throw new VolumeError(`volume "${volume.name}": no token for service account "${pod.spec?.serviceAccountName ?? 'default'}": ${error instanceof Error ? error.message : String(error)}`, { cause: error });
      }
    }
    return {
      configMaps: await objects.configMaps(namespace, names.configMaps, uidOf(pod)),
      secrets: await objects.secrets(namespace, names.secrets, uidOf(pod)),
      tokens, node: this.#facts(observed),
    };
  }

  target(container: Container, id: string, podIP: string, signal: AbortSignal): CheckTarget {
    const { runtime, network } = this.#deps;
    return {
      podIP, container,
      connect: (host, port) => network.connect(host, port),
      exec: (command, timeoutMs) => execOnce(runtime, id, command, timeoutMs, signal),
    };
  }

  /** postStart: undefined when it went well. */
  async postStart(pod: Pod, container: Container, id: string, podIP: string, signal: AbortSignal): Promise<string | undefined> {
    const hook = container.lifecycle?.postStart;
    if (hook === undefined) return undefined;
    const problem = await runHook(hook, this.target(container, id, podIP, signal), 300_000, signal);
    if (problem === undefined) return undefined;
    this.event(pod, 'Warning', 'FailedPostStartHook', `PostStartHook failed: ${problem}`, container.name);
    return `FailedPostStartHook: ${problem}`;
  }

  async preStop(pod: Pod, name: string, id: string, podIP: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
    const container = [...mainContainers(pod), ...initContainers(pod)].find((one) => one.name === name);
    const hook = container?.lifecycle?.preStop;
    if (container === undefined || hook === undefined || timeoutMs <= 0) return;
    const problem = await runHook(hook, this.target(container, id, podIP, signal), timeoutMs, signal);
    if (problem !== undefined) this.event(pod, 'Warning', 'FailedPreStopHook', `PreStopHook failed: ${problem}`, name);
  }

  /** Containers, volumes and the API object: nothing of the pod is left. */
  async finish(pod: Pod, observed: Observed, orphan: boolean, signal: AbortSignal): Promise<void> {
    const { runtime, volumes, api, objects } = this.#deps;
    await Promise.all([...observed.containers, ...observed.sandboxes].map((one) => runtime.containers.remove(one.id, signal)));
    await volumes.tearDown(uidOf(pod));
    objects.release(uidOf(pod));
    if (!orphan) await api.deleteFinal(pod);
  }
}
