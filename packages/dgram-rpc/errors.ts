/** Why a call has no answer. */
export type RpcErrorCode =
  /** No answer within the time-out, however often it was sent. */
  | 'ETIMEDOUT'
  /** The peer's machine says that nothing listens there (ICMP port unreachable), or a firewall rejects. */
  | 'ECONNREFUSED'
  /** The payload is over the size limit, here or at the server. */
  | 'EMSGSIZE'
  /** The server's handler failed; its words are in the message. */
  | 'EREMOTE'
  | 'ECLOSED'
  /** Any other errno of the socket: ENETUNREACH, EHOSTUNREACH, EPERM. */
  | (string & {});

export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: RpcErrorCode;
  constructor(operation: string, code: RpcErrorCode, text: string, cause?: unknown) {
    super(`${operation}: ${code} ${text}`, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
