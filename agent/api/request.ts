// The node API's requests, from their URLs. Pure.

/** A request that is refused, with its HTTP status. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly code: number;
  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

export interface PodPath { readonly verb: string; readonly namespace: string; readonly pod: string; readonly uid: string | undefined; readonly container: string | undefined }

/** /VERB/NAMESPACE/POD[/UID][/CONTAINER], the kubelet's own form. */
export function parsePodPath(pathname: string): PodPath {
  const [verb = '', namespace, pod, ...rest] = pathname.split('/').slice(1).map(decodeURIComponent);
  if (namespace === undefined || pod === undefined || pod === '') throw new HttpError(404, `404 page not found: ${pathname}`);
  const [uid, container] = verb === 'portForward' ? [rest[0], undefined] : rest.length >= 2 ? [rest[0], rest[1]] : [undefined, rest[0]];
  return { verb, namespace, pod, uid, container };
}

const isTrue = (value: string | null): boolean => value === 'true' || value === '1';

export interface StreamOptions { readonly command: readonly string[]; readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean; readonly tty: boolean }

/** exec and attach: kubectl's own parameter names, and those that a kube-apiserver turns them into. */
export function parseStreamOptions(query: URLSearchParams): StreamOptions {
  const either = (a: string, b: string): boolean => isTrue(query.get(a)) || isTrue(query.get(b));
  const tty = isTrue(query.get('tty'));
  const options = { command: query.getAll('command'), stdin: either('stdin', 'input'), stdout: either('stdout', 'output'), stderr: !tty && either('stderr', 'error'), tty };
  if (!options.stdin && !options.stdout && !options.stderr) throw new HttpError(400, 'you must specify at least 1 of stdin, stdout, stderr');
  return options;
}

export interface LogRequest {
  readonly follow: boolean;
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tail: number | undefined;
  readonly since: number | undefined;
  readonly limitBytes: number | undefined;
}

export function parseLogRequest(query: URLSearchParams, now: number): LogRequest {
  const number = (name: string, least: number): number | undefined => {
    const text = query.get(name);
    if (text === null || text === '') return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < least) throw new HttpError(422, `${name}: Invalid value: "${text}": must be an integer of at least ${least}`);
    return value;
  };
  const seconds = number('sinceSeconds', 1);
  const time = query.get('sinceTime');
  if (seconds !== undefined && time !== null) throw new HttpError(422, 'at most one of sinceTime or sinceSeconds may be specified');
  const since = seconds !== undefined ? now / 1000 - seconds : time === null || time === '' ? undefined : Date.parse(time) / 1000;
  if (since !== undefined && Number.isNaN(since)) throw new HttpError(422, `sinceTime: Invalid value: "${time ?? ''}": must be an RFC 3339 time`);
  return {
    follow: isTrue(query.get('follow')), previous: isTrue(query.get('previous')), timestamps: isTrue(query.get('timestamps')),
    tail: number('tailLines', 0), since, limitBytes: number('limitBytes', 1),
  };
}

const reasons: Readonly<Record<number, string>> = { 400: 'BadRequest', 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound', 422: 'Invalid', 500: 'InternalError' };

/** A refusal as a Status object: kubectl prints its message, whichever way it came through the API server. */
export function refusal(error: unknown): { readonly code: number; readonly body: string } {
  const code = error instanceof HttpError ? error.code : 500;
  const message = error instanceof Error ? error.message : String(error);
  return { code, body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason: reasons[code] ?? 'InternalError', code }) };
}
