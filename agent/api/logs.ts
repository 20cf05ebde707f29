// GET /containerLogs/NAMESPACE/POD/CONTAINER
import type { ServerResponse } from 'node:http';
import { attemptsOf } from '../pods/observed.ts';
import type { PodWorker } from '../pods/worker.ts';
import type { ContainerRuntime } from '../runtime/runtime.ts';
import { HttpError, parseLogRequest } from './request.ts';
import type { PodPath } from './request.ts';

export async function serveLogs(runtime: ContainerRuntime, worker: PodWorker, path: PodPath, query: URLSearchParams, response: ServerResponse, signal: AbortSignal): Promise<void> {
  const name = path.container ?? '';
  const request = parseLogRequest(query, Date.now());
  const spec = worker.pod.spec;
  if (![...(spec?.containers ?? []), ...(spec?.initContainers ?? [])].some((one) => one.name === name)) throw new HttpError(404, `container ${name} is not valid for pod ${path.pod}`);
  const attempts = attemptsOf(worker.observed, name).filter((one) => one.state !== 'created');
  const wanted = request.previous ? (attempts[0]?.state === 'running' ? attempts[1] : attempts[1] ?? attempts[0]) : attempts[0];
  if (wanted === undefined) {
    throw new HttpError(400, request.previous ? `previous terminated container "${name}" in pod "${path.pod}" not found` : `container "${name}" in pod "${path.pod}" is waiting to start: ${waitingReason(worker, name)}`);
  }
  const log = await runtime.streams.logs(wanted.id, {
    follow: request.follow && wanted.state === 'running', timestamps: request.timestamps,
    ...(request.tail === undefined ? {} : { tail: request.tail }), ...(request.since === undefined ? {} : { since: request.since }),
  }, signal);
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
  response.flushHeaders();
  let left = request.limitBytes ?? Infinity;
  for await (const chunk of log) {
    const part = (chunk as Buffer).subarray(0, left);
    left -= part.length;
    if (!response.write(part)) await drained(response);
    if (left <= 0 || response.destroyed) break;
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.once('drain', done);
    response.once('close', done);
  });
}

function waitingReason(worker: PodWorker, name: string): string {
  const statuses = [...(worker.pod.status?.containerStatuses ?? []), ...(worker.pod.status?.initContainerStatuses ?? [])];
  const waiting = statuses.find((status) => status.name === name)?.state?.waiting;
  return waiting?.message === undefined ? (waiting?.reason ?? 'ContainerCreating') : waiting.message;
}
