import type { IncomingMessage, ServerResponse } from 'node:http';
import { anonymous, authenticate } from '../auth/authenticate.ts';
import type { TokenVerifier } from '../auth/authenticate.ts';
import { refusalText } from '../auth/authorize.ts';
import type { Attributes, Authorizer } from '../auth/authorize.ts';
import { aggregated, aggregatedForm, coreVersions, groupList, oneGroup, resourceList } from '../discovery/discovery.ts';
import { openApiDocument, openApiIndex } from '../discovery/openapi.ts';
import { openApiV2, openApiV2Accept, openApiV2Protobuf, openApiV2ProtobufType } from '../discovery/openapi-v2.ts';
import type { RestContext, User } from '../rest/context.ts';
import { requestedForm } from '../rest/table.ts';
import { versionInfo } from '../version.ts';
import { readBody } from './body.ts';
import type { Call, CallHandler } from './call.ts';
import { parseResourcePath } from './request-info.ts';
import { handleResource, verbOf } from './resource-handler.ts';
import { sendAnswer, sendStatus } from './respond.ts';
import { forbiddenError, pathNotFound, StatusError } from './status-error.ts';
import { writeOptions } from './write-options.ts';

export type RouteOptions = Readonly<{
  context: RestContext;
  verifiers: readonly TokenVerifier[];
  /** `group/plural/subresource` -> handler, for everything that is not plain REST. */
  subresources: ReadonlyMap<string, CallHandler>;
  /** Resources that are not stored (reviews): `group/plural` -> handler. */
  virtual: ReadonlyMap<string, CallHandler>;
  authorize: Authorizer;
  ready: () => boolean;
  metrics: () => string;
  serverAddress: string;
  log: (error: unknown, request: IncomingMessage) => void;
  signal: AbortSignal;
}>;

const identified = new WeakMap<IncomingMessage, Readonly<{ user: User; attributes: Attributes }>>();

/** Who a request came from and what it turned out to be, for metrics and the audit log. */
export const identify = (request: IncomingMessage): Readonly<{ user: User; attributes: Attributes }> =>
  identified.get(request) ?? { user: anonymous, attributes: { verb: (request.method ?? 'GET').toLowerCase() } };

const health = /^\/(healthz|livez|readyz)(\/.*)?$/;

/** Answers one request, whatever it is; never rejects. */
export async function route(options: RouteOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    await dispatch(options, request, response);
  } catch (error) {
    if (response.headersSent) {
      response.destroy();
      return;
    }
    if (!(error instanceof StatusError)) options.log(error, request);
    const status = error instanceof StatusError ? error : new StatusError(500, 'InternalError', `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`);
    if (status.code === 413) response.setHeader('Connection', 'close');
    await sendStatus(request, response, status.toStatus());
  }
}

async function dispatch(options: RouteOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const target = request.url ?? '/';
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = new URLSearchParams(mark < 0 ? '' : target.slice(mark + 1));
  if (health.test(path)) return answerHealth(options, path, request, response);
  const user = authenticate(request, options.verifiers);
  if (user === 'refused') throw new StatusError(401, 'Unauthorized', 'Unauthorized');
  const json = (value: unknown, contentType?: string): Promise<void> => {
    if (value === undefined) throw pathNotFound();
    return sendAnswer(request, response, { code: 200, json: typeof value === 'string' ? value : JSON.stringify(value), ...(contentType !== undefined && { contentType }) });
  };
  if (path === '/version' || path === '/version/') return json(versionInfo);
  if (user === anonymous) throw new StatusError(401, 'Unauthorized', 'Unauthorized');
  const info = parseResourcePath(path);
  if (info !== undefined) return dispatchResource(options, request, response, query, info, user);
  requireAllowed(options, user, { verb: (request.method ?? 'GET').toLowerCase(), path });
  const { registry } = options.context;
  const parts = path.split('/').filter((part) => part !== '');
  const form = aggregatedForm(request.headers.accept);
  switch (parts[0]) {
    case undefined: return json({ paths: ['/api', '/apis', '/healthz', '/livez', '/metrics', '/openapi/v2', '/openapi/v3', '/readyz', '/version'] });
    case 'api':
    case 'apis': {
      const core = parts[0] === 'api';
      if (parts.length === 1) {
        if (form !== undefined) return json(aggregated(registry, core, form), `application/json;g=apidiscovery.k8s.io;v=${form};as=APIGroupDiscoveryList`);
        return json(core ? coreVersions(options.serverAddress) : groupList(registry));
      }
      const [, second = '', third = ''] = parts;
      if (core) return json(resourceList(registry, '', second));
      return json(parts.length === 2 ? oneGroup(registry, second) : resourceList(registry, second, third));
    }
    case 'openapi': {
      if (parts[1] === 'v2') {
        if (!openApiV2Accept.test(request.headers.accept ?? '')) return json(openApiV2(registry));
        return sendAnswer(request, response, { code: 200, json: openApiV2Protobuf(registry), contentType: openApiV2ProtobufType });
      }
      if (parts[1] !== 'v3') throw pathNotFound();
      return json(parts.length === 2 ? openApiIndex(registry) : openApiDocument(registry, parts.slice(2).join('/')));
    }
    case 'metrics': return json(options.metrics(), 'text/plain; version=0.0.4; charset=utf-8');
    default: throw pathNotFound();
  }
}

function requireAllowed({ authorize }: RouteOptions, user: User, attributes: Attributes, resource?: Parameters<typeof forbiddenError>[0]): void {
  if (authorize(user, attributes).allowed) return;
  const why = refusalText(user, attributes);
  if (resource === undefined) throw new StatusError(403, 'Forbidden', `forbidden: ${why}`, {});
  throw forbiddenError(resource, attributes.name ?? '', why);
}

async function answerHealth(options: RouteOptions, path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const good = !path.startsWith('/readyz') || options.ready();
  return sendAnswer(request, response, { code: good ? 200 : 500, json: good ? 'ok' : 'not ready: the store is still being read', contentType: 'text/plain; charset=utf-8' });
}

/** Takes a resource request apart and finds who answers it. Upgraded connections (exec, port-forward) come this way too. */
async function dispatchResource(options: RouteOptions, request: IncomingMessage, response: ServerResponse, query: URLSearchParams, info: NonNullable<ReturnType<typeof parseResourcePath>>, user: User): Promise<void> {
  const { context } = options;
  const definition = context.registry.find(info.group, info.version, info.resource);
  if (definition === undefined) throw pathNotFound();
  if (!definition.namespaced && info.namespace !== undefined) throw pathNotFound();
  let signal: AbortSignal | undefined;
  const call: Call = {
    context, request, response, query, info, definition, namespace: info.namespace, user,
    form: requestedForm(request.headers.accept, query), options: writeOptions(request, query, user),
    body: () => readBody(request), contentType: request.headers['content-type'] ?? '',
    get signal() { return (signal ??= AbortSignal.any([closed(response), options.signal])); },
  };
  const verb = verbOf(call);
  const attributes: Attributes = {
    verb, group: info.group, resource: info.resource, ...(info.subresource !== undefined && { subresource: info.subresource }),
    ...(info.namespace !== undefined && { namespace: info.namespace }), ...(info.name !== undefined && { name: info.name }),
  };
  identified.set(request, { user, attributes });
  requireAllowed(options, user, attributes, definition);
  const virtual = options.virtual.get(`${info.group}/${info.resource}`);
  if (virtual !== undefined) return virtual(call);
  if (info.subresource === undefined || (info.subresource === 'status' && definition.subresources?.status === true)) return handleResource(call);
  const handler = options.subresources.get(`${info.group}/${info.resource}/${info.subresource}`) ?? (definition.subresources?.scale !== undefined && info.subresource === 'scale' ? options.subresources.get('scale') : undefined);
  if (handler === undefined) throw pathNotFound();
  return handler(call);
}

function closed(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}
