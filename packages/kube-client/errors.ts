// Two ways a call to the API server fails: it answered with a Status (ApiError), or it did not answer (ConnectionError).
import type { Status } from './types.ts';

/** The server's own refusal. `code` is the HTTP status, `reason` Kubernetes' word for it (`NotFound`, `Conflict`, `Expired`, ...). */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;
  readonly reason: string;
  readonly status: Status;

  constructor(operation: string, code: number, status: Status) {
    const reason = status.reason ?? `HTTP ${code}`;
    super(`${operation}: ${status.message ?? reason} (${code} ${reason})`);
    this.code = code;
    this.reason = reason;
    this.status = status;
  }
}

/** No answer: refused, reset, timed out, or TLS failed. `code` is the system's or TLS's error code. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: string;

  constructor(operation: string, server: string, cause: Error) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : 'ECONNECTION';
    super(`${operation}: the API server at ${server} does not answer (${code}: ${cause.message}); check that it runs and that the kubeconfig's server and CA are right`, { cause });
    this.code = code;
  }
}

function hasCode(error: unknown, code: number): boolean {
  return error instanceof ApiError && error.code === code;
}

export function isNotFound(error: unknown): boolean { return hasCode(error, 404); }
/** An update lost a race (stale resourceVersion), or a created object exists already: tell them apart with `isAlreadyExists`. */
export function isConflict(error: unknown): boolean { return hasCode(error, 409); }
export function isAlreadyExists(error: unknown): boolean { return error instanceof ApiError && error.reason === 'AlreadyExists'; }
/** The resourceVersion or continue token is too old: list anew. */
export function isGone(error: unknown): boolean {
  return hasCode(error, 410) || (error instanceof ApiError && (error.reason === 'Expired' || error.reason === 'Gone'));
}
export function isConnectionError(error: unknown): error is ConnectionError { return error instanceof ConnectionError; }
/** True for the rejection that an aborted AbortSignal causes. */
export function isAbort(error: unknown): boolean { return error instanceof Error && (error.name === 'AbortError' || ('code' in error && error.code === 'ABORT_ERR')); }
