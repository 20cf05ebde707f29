/**
 * The one error of this part. `code` is the CNI specification's error code (1-99) or one of our own (from 100);
 * the executable prints it as JSON on stdout, whatever happened.
 *
 * Source: CNI specification 1.1.0, "Section 5: Result types", error codes.
 */
export const cniCode = {
  incompatibleVersion: 1,
  unsupportedField: 2,
  unknownContainer: 3,
  invalidEnvironment: 4,
  io: 5,
  decode: 6,
  invalidConfig: 7,
  tryAgain: 11,
  notAvailable: 50,
  limitedConnectivity: 51,
  /** A crash of our own: the details carry the stack. */
  internal: 100,
  /** The kernel refused an operation; the message carries its extended ack. */
  kernel: 101,
  /** No address left in the ranges. */
  poolExhausted: 102,
  /** The interface is there already. */
  interfaceExists: 103,
  /** Another attachment owns the host port. */
  hostPortConflict: 104,
  /** CHECK found something missing. */
  checkFailed: 105,
  /** A requested address is in use or outside the ranges. */
  addressUnavailable: 106,
  /** An IPAM plugin that we call failed without a CNI error of its own. */
  delegate: 107,
} as const;

export type CniCode = (typeof cniCode)[keyof typeof cniCode];

export class CniError extends Error {
  override readonly name = 'CniError';
  /** A code of `cniCode`, or the code that a delegated plugin answered with. */
  readonly code: number;
  readonly details: string;

  constructor(code: number, message: string, options: { readonly details?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? '';
  }
}

/** Any thrown value as a `CniError`; what is not one already is a crash of ours (code 100) with its stack as details. */
export function toCniError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (error instanceof Error) {
    return new CniError(cniCode.internal, error.message === '' ? error.name : error.message, { details: error.stack ?? '', cause: error });
  }
  return new CniError(cniCode.internal, String(error), { cause: error });
}
