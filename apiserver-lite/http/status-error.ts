import { causeReason, fieldErrorBody, fieldErrorText } from '../registry/field-error.ts';
import type { FieldError } from '../registry/field-error.ts';
import type { ResourceDefinition } from '../registry/definition.ts';

export type StatusCause = Readonly<{ reason?: string; message: string; field?: string }>;
export type StatusDetails = Readonly<{ name?: string; group?: string; kind?: string; uid?: string; causes?: readonly StatusCause[]; retryAfterSeconds?: number }>;
export type Status = Readonly<{
  kind: 'Status'; apiVersion: 'v1'; metadata: Record<string, never>; status: 'Success' | 'Failure';
  message?: string; reason?: string; details?: StatusDetails; code: number;
}>;

/** A refusal that becomes a Kubernetes `Status` answer; clients decide by `reason` and `code`. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly code: number;
  readonly reason: string;
  readonly details: StatusDetails | undefined;
  constructor(code: number, reason: string, message: string, details?: StatusDetails) {
    super(message);
    this.code = code;
    this.reason = reason;
    this.details = details;
  }

  toStatus(): Status {
    return {
      kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: this.message,
      ...(this.reason !== '' && { reason: this.reason }), ...(this.details && { details: this.details }), code: this.code,
    };
  }
}

type Named = Pick<ResourceDefinition, 'group' | 'plural' | 'kind'>;

/** `deployments.apps`, `pods`. */
export const qualifiedResource = (resource: Named): string => (resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`);
const qualifiedKind = (resource: Named): string => (resource.group === '' ? resource.kind : `${resource.kind}.${resource.group}`);
const details = (resource: Named, name: string): StatusDetails => ({ name, ...(resource.group !== '' && { group: resource.group }), kind: resource.plural });

export const notFoundError = (resource: Named, name: string): StatusError =>
  new StatusError(404, 'NotFound', `${qualifiedResource(resource)} "${name}" not found`, details(resource, name));

export const alreadyExistsError = (resource: Named, name: string, prefix = ''): StatusError =>
  new StatusError(409, 'AlreadyExists', `${prefix}${qualifiedResource(resource)} "${name}" already exists`, details(resource, name));

export const conflictError = (resource: Named, name: string, why: string): StatusError =>
  new StatusError(409, 'Conflict', `Operation cannot be fulfilled on ${qualifiedResource(resource)} "${name}": ${why}`, details(resource, name));

export const modifiedError = (resource: Named, name: string): StatusError =>
  conflictError(resource, name, 'the object has been modified; please apply your changes to the latest version and try again');

export const forbiddenError = (resource: Named, name: string, why: string, causes?: readonly StatusCause[]): StatusError =>
  new StatusError(403, 'Forbidden', `${qualifiedResource(resource)}${name === '' ? '' : ` "${name}"`} is forbidden: ${why}`, { ...details(resource, name), ...(causes && { causes }) });

export const badRequest = (message: string): StatusError => new StatusError(400, 'BadRequest', message);

export const methodNotAllowed = (): StatusError =>
  new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {});

export const pathNotFound = (): StatusError => new StatusError(404, 'NotFound', 'the server could not find the requested resource', {});

export const expiredError = (message: string): StatusError => new StatusError(410, 'Expired', message);

export const tooLargeResourceVersion = (wanted: number, current: number): StatusError =>
  new StatusError(504, 'Timeout', `Too large resource version: ${wanted}, current: ${current}`,
    { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 });

/** 422 with one cause per fault, all of them at once. */
export function invalidError(resource: Named, name: string, errors: readonly FieldError[]): StatusError {
  const texts = errors.map(fieldErrorText);
  const unique = [...new Set(texts)];
  const list = unique.length === 1 ? (unique[0] ?? '') : `[${unique.join(', ')}]`;
  return new StatusError(422, 'Invalid', `${qualifiedKind(resource)} "${name}" is invalid: ${list}`, {
    name, ...(resource.group !== '' && { group: resource.group }), kind: resource.kind,
    causes: errors.map((error) => ({ reason: causeReason(error.type), message: fieldErrorBody(error), field: error.field })),
  });
}

export const successStatus = (resource: Named, name: string, uid: string | undefined): Status => ({
  kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { ...details(resource, name), ...(uid !== undefined && { uid }) }, code: 200,
});
