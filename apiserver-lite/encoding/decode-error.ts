/** A body that cannot be read; `code` is the reason of the Status to answer, `status` its HTTP code. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
  readonly code: 'BadRequest' | 'UnsupportedMediaType';
  readonly status: 400 | 415;

  constructor(code: 'BadRequest' | 'UnsupportedMediaType', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = code === 'BadRequest' ? 400 : 415;
  }
}
