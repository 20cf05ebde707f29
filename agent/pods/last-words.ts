// What an ended container left to say: its termination message file, or the end of its log.
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { labels } from '../labels.ts';
import type { RuntimeContainer } from '../runtime/runtime.ts';
import type { PodDeps } from './deps.ts';
import { attemptOf, nameOf } from './observed.ts';
import type { Observed } from './observed.ts';

const fileLimit = 4096;
const logLimit = 2048;
const logLines = 80;

/** Adds a message for every ended container that has none yet. */
export async function lastWords(deps: Pick<PodDeps, 'runtime' | 'volumes'>, observed: Observed, messages: Map<string, string>, signal: AbortSignal): Promise<void> {
  for (const container of observed.containers) {
    if (container.state !== 'exited' || messages.has(container.id)) continue;
    messages.set(container.id, await message(deps, container, signal));
  }
}

async function message(deps: Pick<PodDeps, 'runtime' | 'volumes'>, container: RuntimeContainer, signal: AbortSignal): Promise<string> {
  const text = await head(deps.volumes.terminationLog(container.labels[labels.podUid] ?? '', nameOf(container), attemptOf(container)));
  if (text !== '' || container.startedAt === 0) return text === '' ? container.error : text;
  if (container.labels[labels.terminationMessagePolicy] !== 'FallbackToLogsOnError' || container.exitCode === 0) return '';
  const log = await deps.runtime.streams.logs(container.id, { follow: false, timestamps: false, tail: logLines }, signal);
  return all(log);
}

async function head(file: string): Promise<string> {
  try {
    await using handle = await open(file, 'r');
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(fileLimit), 0, fileLimit, 0);
    return buffer.subarray(0, bytesRead).toString('utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

async function all(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text = `${text}${(chunk as Buffer).toString('utf8')}`.slice(-logLimit);
  return text;
}
