// ContainerRuntime over a Docker engine's socket.
import http from 'node:http';
import type { Readable } from 'node:stream';
import { inspect } from 'node:util';
import type Docker from 'dockerode';
import { labels as labelNames } from '../labels.ts';
import type { ContainerRole } from '../labels.ts';
import { runtimeError } from './docker-errors.ts';
import { dockerCreateBody } from './docker-spec.ts';
import { Dockerode } from './dockerode.ts';
import { dockerStreams } from './docker-streams.ts';
import { RuntimeError } from './runtime.ts';
import type { ContainerRuntime, Containers, Images, RuntimeContainer, RuntimeEvent } from './runtime.ts';

/** No answer for so long means the engine hangs: better an error that is retried than a pod that waits for ever. */
const callTimeoutMs = 60_000;

const signals: Readonly<Record<number, number>> = { 137: 9, 143: 15, 130: 2, 139: 11, 134: 6 };

/** `host` is unix:///path. Nothing is contacted until the first call. */
export function dockerRuntime(host: string): ContainerRuntime {
  const socketPath = host.replace(/^unix:\/\//u, '');
  // Kept-alive sockets of an engine that restarted fail the next request each; a connect to a unix socket costs next to nothing.
  const agent = new http.Agent({ keepAlive: false });
  // docker-modem renders its options for a debug line at every request, whether anybody debugs or not: keep it from walking through the agent.
  const options = { socketPath, agent: Object.assign(agent, { [inspect.custom]: () => 'Agent' }) };
  const docker = new Dockerode(options);
  const details = new Map<string, RuntimeContainer>();

  async function call<T>(operation: string, signal: AbortSignal, body: (signal: AbortSignal) => Promise<T>): Promise<T> {
    try {
      return await body(AbortSignal.any([signal, AbortSignal.timeout(callTimeoutMs)]));
    } catch (error) {
      throw runtimeError(operation, error, socketPath, signal);
    }
  }

  /** A container never runs twice (each attempt is a new one), so its details change only with its state. */
  async function detailsOf(id: string, state: string, signal: AbortSignal): Promise<RuntimeContainer | undefined> {
    const known = details.get(id);
    if (known !== undefined && known.state === state && state !== 'created') return known;
    try {
      const found = fromInspect(await docker.getContainer(id).inspect({ abortSignal: signal }));
      details.set(id, found);
      return found;
    } catch (error) {
      if ((error as { statusCode?: number }).statusCode !== 404) throw error;
      details.delete(id);
      return undefined; // removed between list and inspect
    }
  }

  const containers: Containers = {
    list: (labels, signal) => call('list containers', signal, async (abortSignal) => {
      const found = await docker.listContainers({ all: true, filters: { label: labelFilter(labels) }, abortSignal });
      const all = await Promise.all(found.map((one) => detailsOf(one.Id, one.State, abortSignal)));
      return all.filter((one) => one !== undefined);
    }),
    create: (spec, signal) => call(`create container ${spec.name}`, signal, async (abortSignal) => {
      const body: Docker.ContainerCreateOptions = { ...dockerCreateBody(spec), abortSignal };
      return (await docker.createContainer(body)).id;
    }),
    start: (id, signal) => call(`start container ${id.slice(0, 12)}`, signal, async (abortSignal) => {
      await docker.getContainer(id).start({ abortSignal });
    }),
    kill: (id, signalName, signal) => call(`kill -${signalName} container ${id.slice(0, 12)}`, signal, async (abortSignal) => {
      await docker.getContainer(id).kill({ signal: signalName, abortSignal });
    }).catch(unless('ENOTFOUND', 'ECONFLICT')),
    async remove(id, signal) {
      const operation = `remove container ${id.slice(0, 12)}`;
      await call(operation, signal, async (abortSignal) => { await docker.getContainer(id).remove({ force: true, v: true, abortSignal }); })
        .catch(unless('ENOTFOUND', 'ECONFLICT'));
      details.delete(id);
    },
    stats: (id, signal) => call(`stats of ${id.slice(0, 12)}`, signal, async (abortSignal) => {
      const query = { stream: false as const, 'one-shot': true, abortSignal };
      const stats = await docker.getContainer(id).stats(query);
      const memory = stats.memory_stats;
      const inactive = (memory.stats as { total_inactive_file?: number; inactive_file?: number } | undefined);
      const usage = (memory.usage as number | undefined) ?? 0;
      return {
        cpuNanoseconds: stats.cpu_stats.cpu_usage.total_usage,
        memoryUsageBytes: usage,
        memoryWorkingSetBytes: Math.max(0, usage - (inactive?.total_inactive_file ?? inactive?.inactive_file ?? 0)),
      };
    }),
  };

  const images: Images = {
    list: (signal) => call('list images', signal, async (abortSignal) =>
      (await docker.listImages({ abortSignal })).map((image) => ({
        id: image.Id, names: named(image.RepoTags), digests: named(image.RepoDigests), sizeBytes: image.Size,
      }))),
    async inspect(reference, signal) {
      try {
        const image = await call(`inspect image ${reference}`, signal, async (abortSignal) => {
          abortSignal.throwIfAborted();
          return docker.getImage(reference).inspect();
        });
        return { id: image.Id, names: named(image.RepoTags), digests: named(image.RepoDigests), sizeBytes: image.Size, user: image.Config.User };
      } catch (error) {
        if (error instanceof RuntimeError && error.code === 'ENOTFOUND') return undefined;
        throw error;
      }
    },
    async pull(reference, auth, signal) {
      try {
        const progress = await docker.pull(reference, { abortSignal: signal, ...(auth === undefined ? {} : { authconfig: auth }) });
        for await (const line of linesOf(progress)) {
          const failure = (JSON.parse(line) as { error?: string }).error;
          if (failure !== undefined) throw new RuntimeError(`pull image ${reference}`, 'EENGINE', failure);
        }
      } catch (error) {
        throw runtimeError(`pull image ${reference}`, error, socketPath, signal);
      }
    },
    remove: (id, signal) => call(`remove image ${id}`, signal, async (abortSignal) => {
      await docker.getImage(id).remove({ abortSignal });
    }).catch(unless('ENOTFOUND')),
  };

  return {
    containers, images, streams: dockerStreams(docker, socketPath),
    info: (signal) => call('ask for the version', signal, async (abortSignal) => {
      abortSignal.throwIfAborted();
      const version = await docker.version();
      return { name: 'docker', version: version.Version, cgroupVersion: '1' };
    }),
    async* events(labels, signal) {
      try {
        const stream = await docker.getEvents({
          abortSignal: signal,
          filters: { type: ['container'], label: labelFilter(labels), event: ['create', 'start', 'die', 'destroy', 'oom', 'kill'] },
        });
        signal.addEventListener('abort', () => (stream as Partial<Readable>).destroy?.(), { once: true });
        for await (const line of linesOf(stream)) {
          const event = parseEvent(line);
          if (event === undefined) continue;
          details.delete(event.containerId);
          yield event;
        }
      } catch (error) {
        if (!signal.aborted) throw runtimeError('watch events', error, socketPath, signal);
      }
    },
  };
}

/** Lines of a stream. Unlike readline's, this iteration ends (by an error) when the stream is destroyed. */
async function* linesOf(stream: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of stream) {
    const parts = `${rest}${chunk.toString()}`.split('\n');
    rest = parts.pop() ?? '';
    yield* parts.filter((line) => line.trim() !== '');
  }
  if (rest.trim() !== '') yield rest;
}

function unless(...codes: string[]): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof RuntimeError) || !codes.includes(error.code)) throw error;
  };
}

function labelFilter(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels).map(([name, value]) => `${name}=${value}`);
}

function named(tags: readonly string[] | null | undefined): string[] {
  return (tags ?? []).filter((tag) => !tag.startsWith('<none>'));
}

function parseEvent(line: string): RuntimeEvent | undefined {
  if (line.trim() === '') return undefined;
  const event = JSON.parse(line) as { Action?: string; Actor?: { ID?: string; Attributes?: Record<string, string> } };
  if (event.Actor?.ID === undefined) return undefined;
  return { containerId: event.Actor.ID, podUid: event.Actor.Attributes?.[labelNames.podUid] ?? '', action: event.Action ?? '' };
}

function time(text: string): number {
  const parsed = Date.parse(text);
  return Number.isNaN(parsed) || parsed < 0 ? 0 : parsed;
}

function fromInspect(found: Docker.ContainerInspectInfo): RuntimeContainer {
  const { State: state, Config: config } = found;
  const stop = (config as { StopSignal?: string }).StopSignal;
  const running = state.Running || state.Status === 'paused' || state.Status === 'restarting';
  return {
    id: found.Id, name: found.Name.replace(/^\//u, ''),
    role: (config.Labels[labelNames.role] ?? 'container') as ContainerRole,
    labels: config.Labels,
    // "removing" and "dead" are ends; a start that failed stays "created" with an error and exit code.
    state: running ? 'running' : state.Status === 'created' && state.Error === '' ? 'created' : 'exited',
    pid: running ? state.Pid : 0,
    exitCode: state.ExitCode, signal: signals[state.ExitCode] ?? 0, oomKilled: state.OOMKilled, error: state.Error,
    createdAt: time(found.Created), startedAt: time(state.StartedAt), finishedAt: time(state.FinishedAt),
    image: config.Image, imageId: found.Image,
    stopSignal: stop === undefined || stop === '' ? 'SIGTERM' : stop, tty: config.Tty,
  };
}
