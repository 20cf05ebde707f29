export const TIMEOUT = 'ETIMEDOUT';

/** Why an attempt came to nothing: the code goes into its result. */
export class ProbeError extends Error {
  override readonly name = 'ProbeError';
  readonly code: string;
  constructor(text: string, code: string) {
    super(text);
    this.code = code;
  }
}
