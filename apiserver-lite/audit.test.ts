import test from 'ava';
import { auditLevel } from './audit.ts';
import type { AuditLevel } from './audit.ts';
import type { User } from './rest/context.ts';

const person: User = { name: 'jane', groups: [] };
const node: User = { name: 'system:node:n1', groups: ['system:nodes'] };

const cases: readonly [who: User, verb: string, resource: string, level: AuditLevel][] = [
  [person, 'create', 'deployments', 'Metadata'], [person, 'delete', 'pods', 'Metadata'], [person, 'get', 'pods', 'None'], [person, 'get', 'secrets', 'Metadata'],
  [node, 'update', 'leases', 'None'], [node, 'patch', 'pods', 'Metadata'], [person, 'create', 'events', 'None'], [person, 'delete', 'leases', 'Metadata'],
];
for (const [who, verb, resource, level] of cases) {
  test(`${who.name}: ${verb} ${resource} is recorded at level ${level}`, (t) => t.is(auditLevel(who, { verb, resource }), level));
}
