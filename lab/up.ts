// `podwire up`: brings a lab to the state its options mean. Each step looks first and acts only on what is missing, so the same
// command starts a lab, heals one after `kill -9` of anything, and does nothing to a healthy one.
import { mkdirSync } from 'node:fs';
import type Docker from 'dockerode';
import { ensureControlPlane, waitNodesReady } from './cluster/control-plane.ts';
import { openPki } from './cluster/credentials.ts';
import { errorText, LabError } from './errors.ts';
import { chooseEngine, ensureEngine } from './engine/find-engine.ts';
import { dockerClient } from './engine/client.ts';
import { ensureImage, nodeImages, podImages } from './images/index.ts';
import { machineRoutes } from './network/routes.ts';
import { ensureUnderlay, routeLoadBalancers } from './network/underlay.ts';
import { ensureNode, extraNodes, removeNode } from './nodes/node.ts';
import { requireFreePort, requireKernel, requireOwnFolder, requireRoot, requireTools } from './preflight.ts';
import { runSteps } from './progress.ts';
import { runningService } from './processes/service.ts';
import { takeLock } from './state/lock.ts';
import { labNames, nodeName } from './state/names.ts';
import { desiredSpec, readSpec, underlayAddresses, writeSpec } from './state/spec.ts';
import { tearDown } from './teardown.ts';
import type { Pki } from '@podwire/apiserver-lite';
import type { Engine } from './engine/find-engine.ts';
import type { Note, Print, Step } from './progress.ts';
import type { LabNames } from './state/names.ts';
import type { LabSpec, UpOptions } from './state/spec.ts';

export interface UpResult {
  readonly names: LabNames;
  readonly spec: LabSpec;
  /** What had to be started or made; empty when the lab was whole. */
  readonly changed: readonly string[];
  /** What a person should know: an engine without live-restore, a node that had died. */
  readonly warnings: readonly string[];
}

export async function up(options: UpOptions & { readonly dockerHost?: string }, print?: Print): Promise<UpResult> {
  requireRoot('up');
  const names = labNames(options.stateDir);
  requireOwnFolder(names);
  const previous = readSpec(names);
  const wanted = desiredSpec(names.id, options, previous, await machineRoutes(names.machineDevice));
  requireTools();
  if (previous === undefined) await requireKernel(wanted);
  await using _lock = await takeLock(names);
  if (runningService(names, 'apiserver') === undefined) await requireFreePort(wanted.apiPort);
  const choice = await chooseEngine(options.dockerHost, previous?.engine);
  mkdirSync(names.stateDir, { recursive: true, mode: 0o755 });
  writeSpec(names, wanted);
  const work = new Bringup(names, wanted, choice);
  try {
    await runSteps(work.steps(), print);
  } catch (error) {
    // A lab that never was must not stay behind in halves; one that was keeps what still works.
    const failure = inWords(error, work.spec);
    if (previous !== undefined) throw failure;
    await work.settled();
    try {
      await tearDown(names, choice.host);
    } catch (second) {
      throw new LabError('EFAILED', `${errorText(failure)}\nand what had been made could not all be taken back: ${errorText(second)}`, { cause: error });
    }
    throw failure;
  }
  return { names, spec: work.spec, changed: work.changed, warnings: work.warnings };
}

/** What the engine refuses is no fault in our code: its own words are what the user needs. */
function inWords(error: unknown, spec: LabSpec): unknown {
  const { statusCode } = error as { readonly statusCode?: number };
  if (statusCode === undefined) return error;
  return new LabError('EFAILED', `the Docker engine on ${spec.engine?.host ?? 'its socket'} refuses (HTTP ${statusCode}): ${errorText(error).replace(/^\(HTTP code \d+\) [^-]*- /u, '').trim()}`, { cause: error });
}

/** The steps of one `up` and what they learn from each other. */
class Bringup {
  readonly names: LabNames;
  readonly changed: string[] = [];
  readonly warnings: string[] = [];
  spec: LabSpec;
  readonly #choice: { readonly kind: 'private' | 'foreign'; readonly host?: string };
  #engine: Engine | undefined;
  #pki: Pki | undefined;
  /** The API server starts while the engine does. */
  #controlPlane: Promise<string> | undefined;
  /** Images for pods load while the nodes start. */
  #podImages: Promise<string | undefined> | undefined;

  constructor(names: LabNames, spec: LabSpec, choice: { readonly kind: 'private' | 'foreign'; readonly host?: string }) {
    this.names = names;
    this.spec = spec;
    this.#choice = choice;
  }

  steps(): readonly Step[] {
    return [
      { title: 'Underlay', run: () => this.#underlayStep() },
      { title: 'Docker engine', run: () => this.#engineStep() },
      { title: 'Node image', run: (note) => this.#loadImages(nodeImages, note) },
      { title: 'API server', run: () => this.#controlPlane ?? this.#controlPlaneStep() },
      { title: 'Nodes', run: (note) => this.#nodesStep(note) },
      { title: 'Pod images', run: (note) => this.#podImages ?? this.#loadImages(podImages, note) },
      { title: 'Ready', run: () => waitNodesReady(this.names, this.spec) },
    ];
  }

  /** When nothing of this works on in the background: before that, what is taken away could come back. */
  async settled(): Promise<void> {
    await Promise.allSettled([this.#controlPlane, this.#podImages]);
  }

  /** Awaited in a later step; until then a failure must not count as unhandled. */
  #behind<T>(work: Promise<T>): Promise<T> {
    work.catch(() => undefined);
    return work;
  }

  get #docker(): Docker {
    if (this.#engine === undefined) throw new Error('the engine step comes first');
    return dockerClient(this.#engine.host);
  }

  async #engineStep(): Promise<string> {
    const engine = await ensureEngine(this.names, this.#choice);
    this.#engine = engine;
    if (this.spec.engine?.kind !== engine.kind || this.spec.engine.host !== engine.host) {
      this.spec = { ...this.spec, engine: { kind: engine.kind, host: engine.host } };
      writeSpec(this.names, this.spec);
    }
    if (engine.warning !== undefined) this.warnings.push(engine.warning);
    if (engine.started) this.changed.push('Docker engine');
    return engine.kind === 'private' ? `the lab's own, ${engine.started ? 'started' : 'running'}` : engine.host;
  }

  async #loadImages(recipes: typeof podImages, note: Note): Promise<string | undefined> {
    const docker = this.#docker;
    let loaded = 0;
    for (const recipe of recipes) {
      if ((await ensureImage(docker, recipe, note)) === 'loaded') {
        loaded += 1;
        this.changed.push(recipe.name);
      }
    }
    return loaded === 0 ? undefined : `${loaded} loaded`;
  }

  async #underlayStep(): Promise<string> {
    await ensureUnderlay(this.names, underlayAddresses(this.spec));
    this.#controlPlane = this.#behind(this.#controlPlaneStep());
    return this.spec.underlayCIDR;
  }

  async #controlPlaneStep(): Promise<string> {
    this.#pki = await openPki(this.names);
    const state = await ensureControlPlane(this.names, this.spec, this.#pki);
    if (state === 'started') this.changed.push('API server');
    return `https://${underlayAddresses(this.spec).gateway}:${this.spec.apiPort}, ${state}`;
  }

  async #nodesStep(note: Note): Promise<string> {
    this.#podImages = this.#behind(this.#loadImages(podImages, note));
    const docker = this.#docker;
    const pki = this.#pki ?? (await openPki(this.names));
    const indexes = Array.from({ length: this.spec.nodes }, (_, at) => at + 1);
    const results = await Promise.all(indexes.map((index) => ensureNode({ pki, docker, names: this.names, spec: this.spec, index, warn: (text) => { this.warnings.push(text); note(text); } })));
    for (const [at, state] of results.entries()) if (state === 'started') this.changed.push(nodeName(at + 1));
    for (const index of await extraNodes(docker, this.names, this.spec.nodes)) {
      await removeNode(docker, this.names, index);
      this.changed.push(nodeName(index));
      note(`${nodeName(index)} removed`);
    }
    await routeLoadBalancers(this.names, underlayAddresses(this.spec), this.spec.nodes);
    return `${this.spec.nodes}, ${results.filter((state) => state === 'started').length} started`;
  }
}
