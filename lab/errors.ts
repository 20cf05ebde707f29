// One error class for the lab: what is wrong, with what, and what to do about it. `main.ts` turns it into exit code 2.

export class LabError extends Error {
  override readonly name = 'LabError';
  readonly code: LabErrorCode;

  constructor(code: LabErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** EUSAGE: wrong flag. ENEED: the machine lacks something. EBUSY: taken by somebody else. ENOLAB: no lab there. EFAILED: a part did not start. */
export type LabErrorCode = 'EUSAGE' | 'ENEED' | 'EBUSY' | 'ENOLAB' | 'EFAILED';

export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
