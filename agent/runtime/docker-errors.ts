// Docker's answers as the one error class of the runtime boundary. Only here does anybody look at Docker's own codes.
import { RuntimeError } from './runtime.ts';
import type { RuntimeErrorCode } from './runtime.ts';

interface DockerFailure { readonly statusCode?: number; readonly code?: string; readonly json?: unknown; readonly name?: string; readonly message?: string }

const gone = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'EACCES', 'ETIMEDOUT']);

/** Engine's text without dockerode's "(HTTP code …)" wrapping. */
function engineText(failure: DockerFailure): string {
  const body = failure.json;
  if (typeof body === 'object' && body !== null && 'message' in body && typeof body.message === 'string') return body.message;
  return (failure.message ?? 'unknown failure').replace(/^\(HTTP code \d+\) [^-]*- /u, '').trim();
}

export function runtimeError(operation: string, error: unknown, socketPath: string, stopped?: AbortSignal): Error {
  if (error instanceof RuntimeError) return error;
  if (stopped?.aborted === true) return stopped.reason instanceof Error ? stopped.reason : new DOMException('stopped', 'AbortError');
  const failure = error as DockerFailure;
  if (failure.statusCode === undefined && (gone.has(failure.code ?? '') || failure.name === 'TimeoutError' || failure.name === 'AbortError')) {
    const why = failure.code ?? 'no answer in time';
    return new RuntimeError(operation, 'EUNAVAILABLE', `Docker does not answer on ${socketPath} (${why}); start it, or pass --docker-host`, error);
  }
  const code: RuntimeErrorCode = failure.statusCode === 404 ? 'ENOTFOUND' : failure.statusCode === 409 ? 'ECONFLICT' : 'EENGINE';
  return new RuntimeError(operation, code, engineText(failure), error);
}
