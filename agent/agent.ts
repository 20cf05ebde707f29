// Puts the parts of the agent together and runs them. Nothing here decides.
import { mkdir, readFile } from 'node:fs/promises';
import { Informer, KubeClient, loadKubeconfig, resources } from '@podwire/kube-client';
import type { Node, Pod } from '@podwire/kube-client';
import { servePlugins } from '@podwire/cni';
import { startNodeApi } from './api/server.ts';
import type { AgentConfig } from './config.ts';
import { podCIDRsOf, startData } from './data-plane.ts';
import type { DataPlane } from './data-plane.ts';
import { agentLog } from './log.ts';
import { PodManager } from './manager.ts';
import type { EngineHealth } from './manager.ts';
import { dnsAddress, registerDns } from './dns/registration.ts';
import { CniNetwork } from './network.ts';
import { readMachine, readPressure } from './node/machine.ts';
import { watchPressure } from './node/pressure.ts';
import { NodeRegistrar } from './node/registrar.ts';
import type { NodeState } from './node/status.ts';
import { FollowedObjects } from './objects.ts';
import { KubePodApi } from './pod-api.ts';
import type { PodDeps } from './pods/deps.ts';
import { ImagePuller } from './pods/images.ts';
import { isMirror, StaticPods } from './static-pods.ts';
import { parseResolvConf } from './pods/sandbox-files.ts';
import { Volumes } from './pods/volumes.ts';
import { dockerRuntime } from './runtime/docker.ts';
import type { RuntimeImage } from './runtime/runtime.ts';

export interface RunningAgent {
  /** The port of the node API (of interest when it was asked for as 0). */
  readonly apiPort: number;
  /** Ends the agent. Pods go on running; the next agent finds them. */
  stop(): Promise<void>;
}

const imagesMs = 60_000;
const warmUpMs = 5000;
/** An engine that restarts is back within seconds; until then the node's pods are as good as before. */
const engineGraceMs = 5000;

export async function startAgent(config: AgentConfig): Promise<RunningAgent> {
  const log = agentLog(config.nodeName, config.logLevel);
  const stop = new AbortController();
  const startedAt = Date.now();
  await mkdir(config.rootDir, { recursive: true });
  const client = new KubeClient(loadKubeconfig(config.kubeconfig), { userAgent: `podwire-agent/${config.nodeName}` });
  const machine = await readMachine(config.rootDir);
  const runtime = dockerRuntime(config.dockerHost);
  const network = new CniNetwork({ rootDir: config.rootDir, mode: config.podInterface });
  const resolver = parseResolvConf(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
  const clusterDns = config.clusterDns.length > 0 || !config.dns ? config.clusterDns : config.serviceCidr.map(dnsAddress);
  const onError = (error: Error): void => log.debug({ err: error }, 'watch');
  const objects = new FollowedObjects(client, stop.signal, (uid) => manager.worker(uid)?.volumesChanged(), onError);
  const deps: PodDeps = {
    runtime, network, objects, log,
    api: new KubePodApi(client, config.nodeName, onError),
    volumes: new Volumes(config.rootDir),
    images: new ImagePuller(runtime),
    settings: { clusterId: config.clusterId, nodeName: config.nodeName, pauseImage: config.podInfraContainerImage, nodeContainer: config.nodeContainer, machineMemoryBytes: machine.memoryBytes, lowestOomScoreAdj: machine.lowestOomScoreAdj },
    dns: () => ({ node: resolver, clusterDns, clusterDomain: config.clusterDomain }),
    hostIPs: config.nodeIp,
    allocatable: { cpu: machine.cpus, memory: machine.memoryBytes },
    clock: { now: () => Date.now() },
  };

  let engineDownSince = Date.now();
  let engine: EngineHealth = { ok: false, message: `Docker at ${config.dockerHost} has not answered yet` };
  let engineVersion = 'docker://unknown';
  let images: { at: number; list: readonly RuntimeImage[] } = { at: 0, list: [] };
  let dataPlane: DataPlane | undefined;
  const manager = new PodManager(deps, {
    engine: (health) => {
      if (engine.ok && !health.ok) engineDownSince = Date.now();
      engine = health;
      images = { at: 0, list: images.list };
      if (health.ok) void runtime.info(stop.signal).then((info) => { engineVersion = `${info.name}://${info.version}`; registrar.changed(); }, onError);
      else setTimeout(() => registrar.changed(), engineGraceMs + 100).unref();
      registrar.changed();
    },
    collect: (sandboxes) => network.collect(sandboxes),
  }, stop.signal);

  const state = async (): Promise<NodeState> => {
    if (engine.ok && Date.now() - images.at > imagesMs) images = { at: Date.now(), list: await runtime.images.list(stop.signal).catch(() => images.list) };
    const problems = [
      ...(engine.ok || Date.now() - engineDownSince < engineGraceMs ? [] : [`container runtime is down: ${engine.message}`]),
      ...(network.ready || config.networkMode === 'none' ? [] : ['container runtime network not ready: the node has no podCIDR yet']),
    ];
    return {
      name: config.nodeName, nodeIPs: config.nodeIp, labels: config.nodeLabels, machine, pressure: await readPressure(config.rootDir),
      maxPods: config.maxPods, apiPort: api.port, images: images.list, runtimeVersion: engineVersion, problems,
      networkProblem: config.networkMode === 'none' ? undefined : dataPlane?.networkProblem() ?? (dataPlane === undefined ? 'the overlay has not started' : undefined),
    };
  };

  let isStarting = false;
  let nodeUid = '';
  // A Node that was deleted and came back takes what it owned along: its endpoint of the DNS is made anew.
  const registerDnsAgain = async (node: Node): Promise<void> => {
    await registerDns({ client, nodeName: config.nodeName, nodeUid: node.metadata?.uid ?? '', nodeIPs: config.nodeIp, port: config.dnsPort, serviceCIDRs: config.serviceCidr }).catch(onError);
  };
  const onNode = (node: Node): void => {
    const podCIDRs = podCIDRsOf(node);
    const uid = node.metadata?.uid ?? '';
    if (isStarting && uid !== nodeUid && config.dns) void registerDnsAgain(node);
    nodeUid = uid;
    if (network.ready && podCIDRs.length > 0 && podCIDRs.join() !== network.podCIDRs.join()) {
      log.error({ podCIDRs, inUse: network.podCIDRs }, 'the node was registered anew and has other podCIDRs: drain it and start the agent again');
    }
    if (podCIDRs.length === 0 || isStarting) return;
    isStarting = true;
    log.info({ podCIDRs }, 'the node has its podCIDR');
    void startData({ client, config, node, log, signal: stop.signal, changed: () => registrar.changed() }).then((started) => {
      dataPlane = started;
      network.configure(podCIDRs, started.mtu);
      manager.wakeAll();
      registrar.changed();
      void manager.relist();
    });
    if (config.dns) {
      void import('./dns/start.ts').then(async ({ startClusterDns }) => startClusterDns({
        client, config, node, services: objects.serviceStore, resolvers: resolver.nameservers, log: log.child({ part: 'dns' }), signal: stop.signal,
      })).catch((error: unknown) => { if (!stop.signal.aborted) log.error({ err: error }, 'the DNS has ended'); });
    }
  };
  const registrar = new NodeRegistrar({ client, name: config.nodeName, state, onNode, register: config.registerNode, log, warmingUp: () => Date.now() - startedAt < warmUpMs }, stop.signal);
  const executables = config.cniBinDir === undefined ? undefined : await servePlugins(config.cniBinDir);
  const api = await startNodeApi({ config, runtime, manager, log, machine });
  log.info({ port: api.port }, 'node API listens');

  const pods = new Informer({ client, resource: resources.pods, fieldSelector: `spec.nodeName=${config.nodeName}`, onError });
  let statics: StaticPods | undefined;
  const set = (pod: Pod): void => { if (isMirror(pod)) statics?.mirrored(pod); else manager.set(pod); };
  pods.on({ add: set, update: set, delete: (pod) => { if (!isMirror(pod)) manager.delete(pod); } });
  if (config.podManifestPath !== undefined) {
    const folder = config.podManifestPath;
    statics = new StaticPods({ folder, nodeName: config.nodeName, client, set: (pod) => manager.set(pod), log, signal: stop.signal });
    void statics.follow();
  }
  manager.start();
  void watchPressure({ rootDir: config.rootDir, manager, runtime, log, signal: stop.signal, changed: () => registrar.changed() }).catch(onError);
  registrar.start();
  pods.start(stop.signal);
  void pods.waitForSync(stop.signal).then(() => manager.synced(), () => undefined);

  // One stream that breaks in an unforeseen way must not take a whole node with it: what the agent knows comes from the engine and the API
  // at each look, so what was cut off is found and done again.
  const unforeseen = (error: unknown): void => log.error({ err: error, stack: error instanceof Error ? error.stack : undefined }, 'unforeseen failure; the agent goes on');
  process.on('uncaughtException', unforeseen);
  process.on('unhandledRejection', unforeseen);

  return {
    apiPort: api.port,
    stop: async () => {
      await executables?.stop();
      stop.abort();
      process.off('uncaughtException', unforeseen);
      process.off('unhandledRejection', unforeseen);
      await Promise.all([manager.stop(), api.close(), dataPlane?.stop()]);
      await pods.stop();
      client.close();
    },
  };
}
