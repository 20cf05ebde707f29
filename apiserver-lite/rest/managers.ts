import { trackUpdate } from '../patch/index.ts';
import type { ApiObject } from '../registry/definition.ts';
import { apiVersionOf } from '../registry/registry.ts';
import type { RestContext, Target, WriteOptions } from './context.ts';
import { timestamp } from './metadata.ts';

/** Who writes, for managedFields. */
export const actorOf = (context: RestContext, { definition, subresource }: Target, { fieldManager }: WriteOptions): { manager: string; apiVersion: string; schema: string; now: string; hasStatus: boolean; subresource?: string } => ({
  manager: fieldManager, apiVersion: apiVersionOf(definition), schema: definition.schema, now: timestamp(context.now()),
  hasStatus: definition.subresources?.status === true, ...(subresource !== undefined && { subresource }),
});

/** Notes in managedFields, in place, which fields this write changed and who made it. */
export function recordManager(context: RestContext, target: Target, object: ApiObject, before: ApiObject | undefined, options: WriteOptions): void {
  const { metadata } = trackUpdate({ ...actorOf(context, target, options), before, after: object });
  if (metadata.managedFields === undefined) delete object.metadata.managedFields;
  else object.metadata.managedFields = metadata.managedFields;
}
