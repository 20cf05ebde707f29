import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ResourceDefinition } from '../registry/definition.ts';
import type { RestContext, User, WriteOptions } from '../rest/context.ts';
import type { Form } from '../rest/table.ts';
import type { ResourceRequest } from './request-info.ts';

/** One request for a resource, with what every handler needs. */
export type Call = Readonly<{
  context: RestContext;
  request: IncomingMessage;
  response: ServerResponse;
  query: URLSearchParams;
  info: ResourceRequest;
  definition: ResourceDefinition;
  namespace: string | undefined;
  user: User;
  form: Form;
  options: WriteOptions;
  /** At most once. */
  body(): Promise<Buffer>;
  contentType: string;
  /** Aborts when the client goes away or the server stops. */
  signal: AbortSignal;
}>;

/** Answers the call itself; keyed by `group/plural/subresource`. */
export type CallHandler = (call: Call) => Promise<void>;
