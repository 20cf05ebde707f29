/** What a URL asks for: `/apis/apps/v1/namespaces/default/deployments/web/scale?...` taken apart. */
export type ResourceRequest = Readonly<{
  group: string;
  version: string;
  namespace: string | undefined;
  resource: string;
  name: string | undefined;
  subresource: string | undefined;
  /** What follows the subresource: the path a proxy request asks for, with its leading slash, or ''. */
  rest: string;
}>;

/** Undefined when the path is not that of a resource (discovery, health, OpenAPI...). */
export function parseResourcePath(path: string): ResourceRequest | undefined {
  const parts = path.split('/').filter((part, index) => index > 0 && part !== '');
  const group = parts[0] === 'api' ? '' : parts[0] === 'apis' ? parts[1] : undefined;
  if (group === undefined) return undefined;
  const offset = group === '' ? 1 : 2;
  const version = parts[offset];
  let rest = parts.slice(offset + 1).map(decode);
  if (version === undefined || rest.length === 0) return undefined;
  let namespace: string | undefined;
  const [first, second, third] = rest;
  if (first === 'namespaces' && second !== undefined && third !== undefined && !(group === '' && (third === 'status' || third === 'finalize'))) {
    namespace = second;
    rest = rest.slice(2);
  }
  const [resource, name, subresource, ...more] = rest;
  if (resource === undefined) return undefined;
  const trailing = path.endsWith('/') && subresource !== undefined ? '/' : '';
  return { group, version, namespace, resource, name, subresource, rest: more.length === 0 ? trailing : `/${more.join('/')}${trailing}` };
}

function decode(part: string): string {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (error instanceof URIError) return part;
    throw error;
  }
}
