// A container engine in memory, for tests: containers start at once, end when told, and everything asked of it is recorded.
import { PassThrough, Readable } from 'node:stream';
import { labels as labelNames } from '../labels.ts';
import type { ContainerRole } from '../labels.ts';
import { RuntimeError } from '../runtime/runtime.ts';
import type { Containers, ContainerRuntime, ContainerSpec, ContainerStreams, Images, RuntimeContainer, RuntimeEvent, RuntimeInfo, Streams } from '../runtime/runtime.ts';

interface Stored { spec: ContainerSpec; seen: RuntimeContainer; log: string }

export class FakeRuntime implements ContainerRuntime {
  readonly calls: string[] = [];
  /** Images that are here; pulling adds those in `registry`. */
  readonly present = new Set<string>();
  readonly registry = new Set<string>();
  /** False: every call fails as if the engine were gone. */
  isUp = true;
  /** What a signal does: `false` ignores it (SIGKILL always ends a container). */
  heeds: (container: RuntimeContainer, signal: string) => boolean = () => true;
  /** Exit code and output of commands run by exec. */
  onExec: (container: RuntimeContainer, command: readonly string[]) => { exitCode: number; output: string } = () => ({ exitCode: 0, output: '' });
  /** Throws to make a start fail. */
  onStart: (spec: ContainerSpec) => void = () => undefined;
  now: () => number = () => Date.now();
  readonly #stored = new Map<string, Stored>();
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();
  #count = 0;

  get all(): readonly RuntimeContainer[] {
    return [...this.#stored.values()].map((one) => one.seen);
  }

  spec(id: string): ContainerSpec | undefined {
    return this.#stored.get(id)?.spec;
  }

  byName(container: string): RuntimeContainer | undefined {
    return this.all.filter((one) => one.labels[labelNames.containerName] === container).at(-1);
  }

  write(id: string, text: string): void {
    const stored = this.#stored.get(id);
    if (stored !== undefined) stored.log += text;
  }

  /** A container's process ends. */
  exit(id: string, exitCode: number): void {
    this.#change(id, 'die', (seen) => seen.state !== 'running' ? seen : { ...seen, state: 'exited', pid: 0, exitCode, finishedAt: this.now() });
  }

  #operation(name: string): void {
    this.calls.push(name);
    if (!this.isUp) throw new RuntimeError(name, 'EUNAVAILABLE', 'the engine does not answer');
  }

  #change(id: string, action: string, change: (seen: RuntimeContainer) => RuntimeContainer): void {
    const stored = this.#stored.get(id);
    if (stored === undefined) throw new RuntimeError(`${action} ${id}`, 'ENOTFOUND', `No such container: ${id}`);
    stored.seen = change(stored.seen);
    for (const listener of this.#listeners) listener({ containerId: id, podUid: stored.seen.labels[labelNames.podUid] ?? '', action });
  }

  readonly containers: Containers = {
    list: async (labels) => {
      this.#operation('list');
      return Promise.resolve(this.all.filter((one) => Object.entries(labels).every(([name, value]) => one.labels[name] === value)));
    },
    create: async (spec) => {
      this.#operation(`create ${spec.name}`);
      if (!this.present.has(spec.image)) throw new RuntimeError(`create ${spec.name}`, 'ENOTFOUND', `No such image: ${spec.image}`);
      if (this.all.some((one) => one.name === spec.name)) throw new RuntimeError(`create ${spec.name}`, 'ECONFLICT', `The container name "/${spec.name}" is already in use`);
      this.#count += 1;
      const id = this.#count.toString(16).padStart(64, 'f');
      this.#stored.set(id, {
        spec, log: '',
        seen: {
          id, name: spec.name, role: (spec.labels[labelNames.role] ?? 'container') as ContainerRole, labels: spec.labels, state: 'created', pid: 0, exitCode: 0, signal: 0,
          oomKilled: false, error: '', createdAt: this.now(), startedAt: 0, finishedAt: 0, image: spec.image, imageId: `sha256:${spec.image}`, stopSignal: 'SIGTERM', tty: spec.tty,
        },
      });
      this.#change(id, 'create', (seen) => seen);
      return Promise.resolve(id);
    },
    start: async (id) => {
      const stored = this.#stored.get(id);
      this.#operation(`start ${stored?.seen.name ?? id}`);
      if (stored === undefined) throw new RuntimeError(`start ${id}`, 'ENOTFOUND', `No such container: ${id}`);
      try {
        this.onStart(stored.spec);
      } catch (error) {
        this.#change(id, 'die', (seen) => ({ ...seen, state: 'exited', exitCode: 127, error: String(error) }));
        throw new RuntimeError(`start container ${id.slice(0, 12)}`, 'EENGINE', String(error));
      }
      this.#change(id, 'start', (seen) => ({ ...seen, state: 'running', pid: this.#count + 1000, startedAt: this.now() }));
      return Promise.resolve();
    },
    kill: async (id, signalName) => {
      const seen = this.#stored.get(id)?.seen;
      this.#operation(`kill ${seen?.name ?? id} ${signalName}`);
      if (seen?.state === 'running' && (signalName === 'SIGKILL' || this.heeds(seen, signalName))) this.exit(id, signalName === 'SIGKILL' ? 137 : 143);
      return Promise.resolve();
    },
    remove: async (id) => {
      const stored = this.#stored.get(id);
      this.#operation(`remove ${stored?.seen.name ?? id}`);
      if (stored !== undefined) {
        this.#change(id, 'destroy', (seen) => ({ ...seen, state: 'exited' }));
        this.#stored.delete(id);
      }
      return Promise.resolve();
    },
    stats: async () => {
      this.#operation('stats');
      return Promise.resolve({ cpuNanoseconds: 0, memoryUsageBytes: 0, memoryWorkingSetBytes: 0 });
    },
  };

  readonly images: Images = {
    list: async () => {
      this.#operation('list images');
      return Promise.resolve([...this.present].map((name) => ({ id: name, names: [name], digests: [], sizeBytes: 1 })));
    },
    inspect: async (reference) => {
      this.#operation(`inspect image ${reference}`);
      return Promise.resolve(this.present.has(reference) ? { id: reference, names: [reference], digests: [], sizeBytes: 1, user: '' } : undefined);
    },
    pull: async (reference) => {
      this.#operation(`pull ${reference}`);
      if (!this.registry.has(reference)) throw new RuntimeError(`pull image ${reference}`, 'EENGINE', `manifest for ${reference} not found`);
      this.present.add(reference);
      return Promise.resolve();
    },
    remove: async (id) => {
      this.#operation(`remove image ${id}`);
      this.present.delete(id);
      return Promise.resolve();
    },
  };

  readonly streams: Streams = {
    exec: async (id, options) => {
      this.#operation(`exec ${options.command.join(' ')}`);
      const seen = this.#stored.get(id)?.seen;
      if (seen?.state !== 'running') throw new RuntimeError(`exec in ${id}`, 'ECONFLICT', 'container is not running');
      const { exitCode, output } = this.onExec(seen, options.command);
      const streams: ContainerStreams = {
        stdin: new PassThrough(), stdout: Readable.from([Buffer.from(output)]), stderr: Readable.from([]),
        resize: () => Promise.resolve(), exit: Promise.resolve(exitCode), destroy: () => undefined,
      };
      return Promise.resolve(streams);
    },
    attach: async (id) => {
      this.#operation(`attach ${id}`);
      return Promise.resolve({
        stdin: new PassThrough(), stdout: Readable.from([]), stderr: Readable.from([]), resize: () => Promise.resolve(), exit: Promise.resolve(0), destroy: () => undefined,
      });
    },
    logs: async (id, options) => {
      this.#operation('logs');
      const lines = (this.#stored.get(id)?.log ?? '').split('\n').filter((line) => line !== '');
      const wanted = options.tail === undefined ? lines : lines.slice(lines.length - options.tail);
      return Promise.resolve(Readable.from(wanted.map((line) => Buffer.from(`${line}\n`))));
    },
  };

  async info(): Promise<RuntimeInfo> {
    this.#operation('info');
    return Promise.resolve({ name: 'fake', version: '1', cgroupVersion: '1' });
  }

  async* events(_labels: Readonly<Record<string, string>>, signal: AbortSignal): AsyncGenerator<RuntimeEvent> {
    this.#operation('events');
    const queue: RuntimeEvent[] = [];
    let wake = (): void => undefined;
    const listener = (event: RuntimeEvent): void => {
      queue.push(event);
      wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', () => wake(), { once: true });
    try {
      while (!signal.aborted) {
        for (let event = queue.shift(); event !== undefined; event = queue.shift()) yield event;
        await new Promise<void>((resolve) => { wake = resolve; if (signal.aborted || queue.length > 0) resolve(); });
      }
    } finally {
      this.#listeners.delete(listener);
    }
  }
}
