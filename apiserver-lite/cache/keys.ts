import type { GroupResource } from '../registry/definition.ts';

/** Objects lie under `/objects/GROUP/RESOURCE/[NAMESPACE/]NAME`; the core group is `core`. */
export const objectsPrefix = '/objects/';
/** Exclusive addresses and ports lie under `/claims/`. */
export const claimsPrefix = '/claims/';

export const resourcePrefix = ({ group, resource }: GroupResource): string => `${objectsPrefix}${group === '' ? 'core' : group}/${resource}/`;

export const objectKey = (place: GroupResource, namespace: string | undefined, name: string): string =>
  `${resourcePrefix(place)}${namespace === undefined ? '' : `${namespace}/`}${name}`;
