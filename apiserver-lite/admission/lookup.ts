import { objectKey, resourcePrefix } from '../cache/keys.ts';
import type { ApiObject, GroupResource } from '../registry/definition.ts';
import type { RestContext } from '../rest/context.ts';

/** One object of the cluster, or undefined. Shared: not to be changed. */
export function lookUp(context: RestContext, place: GroupResource, namespace: string | undefined, name: string): Readonly<ApiObject> | undefined {
  return context.cache.resource(place).get(objectKey(place, namespace, name))?.object;
}

/** All objects of a namespace, or of the cluster. Shared: not to be changed. */
export function lookUpAll(context: RestContext, place: GroupResource, namespace?: string): Readonly<ApiObject>[] {
  const prefix = `${resourcePrefix(place)}${namespace === undefined ? '' : `${namespace}/`}`;
  return context.cache.resource(place).under(prefix).map((cached) => cached.object);
}
