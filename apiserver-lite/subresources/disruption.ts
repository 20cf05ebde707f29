import { StatusError } from '../http/status-error.ts';
import { selectorMatches } from '../kinds/index.ts';
import type { ApiObject } from '../registry/definition.ts';
import type { RestContext, WriteOptions } from '../rest/context.ts';
import { timestamp } from '../rest/metadata.ts';
import { updateObject } from '../rest/update.ts';
import { cacheOf } from '../rest/write.ts';

type Budget = ApiObject & { spec?: { selector?: Parameters<typeof selectorMatches>[0] }; status?: { disruptionsAllowed?: number; disruptedPods?: Record<string, string>; observedGeneration?: number } };

/** Takes one disruption from the budget that covers a pod, or refuses with 429 until the budget allows it. */
export async function checkDisruption(context: RestContext, pod: Readonly<ApiObject>, options: WriteOptions): Promise<void> {
  const definition = context.registry.find('policy', 'v1', 'poddisruptionbudgets');
  if (definition === undefined) return;
  const phase = (pod['status'] as { phase?: string } | undefined)?.phase;
  if (phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || pod.metadata.deletionTimestamp !== undefined) return;
  const { namespace, name } = pod.metadata;
  const covering = cacheOf(context, definition).all().map(({ object }) => object as Budget)
    .filter((budget) => budget.metadata.namespace === namespace && budget.spec?.selector !== undefined && selectorMatches(budget.spec.selector, pod.metadata.labels ?? {}));
  if (covering.length > 1) throw new StatusError(500, 'InternalError', 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.');
  const [budget] = covering;
  if (budget === undefined) return;
  await updateObject(context, { definition, namespace, name: budget.metadata.name, subresource: 'status' }, (current) => {
    const { status = {} } = current as Budget;
    const allowed = status.disruptionsAllowed ?? 0;
    if (allowed <= 0) {
      throw new StatusError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", {
        causes: [{ reason: 'DisruptionBudget', message: `The disruption budget ${budget.metadata.name} does not allow evicting pods currently` }], retryAfterSeconds: 10,
      });
    }
    current['status'] = { ...status, disruptionsAllowed: allowed - 1, disruptedPods: { ...status.disruptedPods, [name]: timestamp(context.now()) } };
    return current;
  }, { ...options, warnings: [] });
}
