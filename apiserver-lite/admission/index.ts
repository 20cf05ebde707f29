/** What is asked of a write beyond its own fields: other objects may fill it in or forbid it. In the order they run. */
import type { Admission } from '../rest/context.ts';
import { limitRanger } from './limit-ranger.ts';
import { priority } from './priority.ts';
import { resourceQuota } from './resource-quota.ts';
import { serviceAccount } from './service-account.ts';

/** NamespaceLifecycle is in rest/create.ts, DefaultTolerationSeconds in kinds/pod.ts. ResourceQuota counts what the others filled in: last. */
export const admissions: readonly Admission[] = [serviceAccount, priority, limitRanger, resourceQuota];
