// Pods' network: the CNI engine in this process, on this node's podCIDRs.
import net from 'node:net';
import path from 'node:path';
import { attach, CniError, cniCode, detach, faultFrom, gc, podNetworkConfig } from '@podwire/cni';
import type { AttachmentRequest, CniResult, EngineOptions, NetworkConfig, PodNetworkOptions, PortMapping } from '@podwire/cni';
import type { Pod } from '@podwire/kube-client';
import type { PodNetwork } from './pods/deps.ts';
import type { RuntimeContainer } from './runtime/runtime.ts';

const ifname = 'eth0';

export interface NetworkOptions {
  readonly rootDir: string;
  readonly mode: 'bridge' | 'ptp';
}

export class CniNetwork implements PodNetwork {
  readonly #options: NetworkOptions;
  #podCIDRs: readonly string[] = [];
  #mtu: number | undefined;
  readonly #engineOptions: EngineOptions;
  readonly #attaching = new Set<Promise<unknown>>();
  #collecting: Promise<void> = Promise.resolve();

  constructor(options: NetworkOptions) {
    this.#options = options;
    const afterStep = faultFrom(process.env);
    this.#engineOptions = afterStep === undefined ? {} : { afterStep };
  }

  get ready(): boolean {
    return this.#podCIDRs.length > 0;
  }

  get podCIDRs(): readonly string[] {
    return this.#podCIDRs;
  }

  configure(podCIDRs: readonly string[], mtu: number | undefined): void {
    this.#podCIDRs = podCIDRs;
    this.#mtu = mtu;
  }

  async attach(pod: Pod, sandbox: RuntimeContainer): Promise<readonly string[]> {
    await this.#collecting.catch(() => undefined);
    const { name = '', namespace = 'default', uid = '' } = pod.metadata ?? {};
    const attaching = this.#attachAnew(this.#config(portMappings(pod)), {
      containerId: sandbox.id, netns: `/proc/${sandbox.pid}/ns/net`, ifname, podIdentity: { namespace, name, uid },
      args: { IgnoreUnknown: '1', K8S_POD_NAME: name, K8S_POD_NAMESPACE: namespace, K8S_POD_UID: uid, K8S_POD_INFRA_CONTAINER_ID: sandbox.id },
    });
    this.#attaching.add(attaching);
    const result = await attaching.finally(() => this.#attaching.delete(attaching));
    return result.ips.map((ip) => ip.address.split('/')[0] ?? ip.address);
  }

  /** An agent that was killed after ADD left a sandbox that is wired, and nobody knows how: what is there goes first. */
  async #attachAnew(config: NetworkConfig, request: AttachmentRequest): Promise<CniResult> {
    try {
      return await attach(config, request, this.#engineOptions);
    } catch (error) {
      if (!(error instanceof CniError) || error.code !== cniCode.interfaceExists) throw error;
      await detach(config, request);
      return attach(config, request, this.#engineOptions);
    }
  }

  /** Needs no podCIDR: names and lease files follow from the sandbox. A pod that went while no agent ran goes before the network is ready. */
  async detach(sandboxId: string): Promise<void> {
    await detach(this.#config([]), { containerId: sandboxId, netns: '', ifname });
  }

  /**
   * Takes away addresses, links and rules of sandboxes that are gone. The list is taken while no attachment is under way: an
   * attachment that began before has its sandbox in the list, one that begins after comes too late to be collected.
   */
  async collect(sandboxes: () => Promise<readonly string[]>): Promise<void> {
    const before = this.#collecting;
    this.#collecting = (async () => {
      await before;
      await Promise.allSettled(this.#attaching);
      const ids = await sandboxes();
      await gc(this.#config([]), ids.map((containerId) => ({ containerId, ifname })));
    })();
    try {
      await this.#collecting;
    } finally {
      this.#collecting = Promise.resolve();
    }
  }

  connect(host: string, port: number): net.Socket {
    return net.connect({ host, port });
  }

  #config(ports: readonly PortMapping[]): NetworkConfig {
    const options: PodNetworkOptions = {
      podCIDRs: this.#podCIDRs, dataDir: path.join(this.#options.rootDir, 'cni'), mode: this.#options.mode,
      ...(this.#mtu === undefined ? {} : { mtu: this.#mtu }),
      runtimeConfig: { portMappings: ports },
    };
    return podNetworkConfig(options);
  }
}

function portMappings(pod: Pod): PortMapping[] {
  return (pod.spec?.containers ?? []).flatMap((container) => (container.ports ?? []).filter((port) => port.hostPort !== undefined).map((port) => ({
    hostPort: port.hostPort ?? 0, containerPort: port.containerPort, protocol: (port.protocol ?? 'TCP').toLowerCase() as 'tcp' | 'udp' | 'sctp',
    ...(port.hostIP === undefined || port.hostIP === '' ? {} : { hostIP: port.hostIP }),
  })));
}
