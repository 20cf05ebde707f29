/** A patch that cannot be applied; `code` is the reason of the Status to answer, `status` its HTTP code. */
export class PatchError extends Error {
  override readonly name = 'PatchError';
  readonly code: PatchErrorCode;
  readonly status: number;
  /** Status.details.causes; field conflicts of server-side apply. */
  readonly causes: readonly PatchCause[];

  constructor(code: PatchErrorCode, message: string, causes: readonly PatchCause[] = [], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = statuses[code];
    this.causes = causes;
  }
}

export type PatchErrorCode = 'BadRequest' | 'Conflict' | 'UnsupportedMediaType' | 'Invalid';

export type PatchCause = Readonly<{ reason: string; message: string; field: string }>;

const statuses: Readonly<Record<PatchErrorCode, number>> = { BadRequest: 400, Conflict: 409, UnsupportedMediaType: 415, Invalid: 422 };
