// dgram-rpc: request and response over UDP datagrams. See README.md.
export { RpcClient } from './client.ts';
export type { CallOptions, CallResult, ClientOptions } from './client.ts';
export { RpcServer } from './server.ts';
export type { Peer, RpcHandler, ServerOptions } from './server.ts';
export { RpcError } from './errors.ts';
export type { RpcErrorCode } from './errors.ts';
export { clientStep, idleClient } from './client-core.ts';
export type { ClientEffect, ClientEvent, ClientState, ClientStep, Outcome, Schedule } from './client-core.ts';
export { defaultLimits, idleServer, serverStep } from './server-core.ts';
export type { ServerEffect, ServerEvent, ServerLimits, ServerState, ServerStep } from './server-core.ts';
export { DEFAULT_MAX_BYTES, HEADER_BYTES, LARGEST_BYTES, decode, encode } from './message.ts';
export type { Message } from './message.ts';
