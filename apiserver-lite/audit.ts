import { createWriteStream } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { User } from './rest/context.ts';
import type { Attributes } from './auth/authorize.ts';

export type AuditLevel = 'None' | 'Metadata';

/** Who asked for what and how it ended; one line of JSON per request. */
export type AuditRecord = Readonly<{ request: IncomingMessage; user: User; attributes: Attributes; code: number; startedMs: number; endedMs: number }>;
export type Audit = Readonly<{ write(record: AuditRecord): void; close(): Promise<void> }>;

/** Renewals of Leases and the clients' own bookkeeping would bury everything else. */
const tooChatty = new Set(['leases', 'endpointslices', 'events']);

/** What is worth a line: every write by a person, and by a component unless it is bookkeeping; reads only of Secrets. */
export function auditLevel(user: User, { verb, resource = '' }: Attributes): AuditLevel {
  const reads = ['get', 'list', 'watch'].includes(verb);
  if (reads) return resource === 'secrets' ? 'Metadata' : 'None';
  if (!tooChatty.has(resource)) return 'Metadata';
  return verb === 'delete' && !user.groups.includes('system:nodes') ? 'Metadata' : 'None';
}

/** The audit.k8s.io/v1 Event, at level Metadata. */
export function auditEvent({ request, user, attributes, code, startedMs, endedMs }: AuditRecord): object {
  const { verb, group = '', resource, subresource, namespace, name } = attributes;
  return {
    kind: 'Event', apiVersion: 'audit.k8s.io/v1', level: 'Metadata', stage: 'ResponseComplete', requestURI: request.url ?? '', verb,
    user: { username: user.name, groups: user.groups }, sourceIPs: [request.socket.remoteAddress ?? ''], userAgent: request.headers['user-agent'] ?? '',
    ...(resource !== undefined && { objectRef: { resource, apiGroup: group, ...(namespace !== undefined && { namespace }), ...(name !== undefined && { name }), ...(subresource !== undefined && { subresource }) } }),
    responseStatus: { code }, requestReceivedTimestamp: new Date(startedMs).toISOString(), stageTimestamp: new Date(endedMs).toISOString(),
  };
}

/** Appends to a file; without a path nothing is recorded. */
export function openAudit(path: string | undefined): Audit {
  if (path === undefined) return { write: () => undefined, close: () => Promise.resolve() };
  const file = createWriteStream(path, { flags: 'a', mode: 0o600 });
  return {
    write(record) {
      if (auditLevel(record.user, record.attributes) !== 'None') file.write(`${JSON.stringify(auditEvent(record))}\n`);
    },
    close: () => new Promise((resolve) => { file.end(() => resolve()); }),
  };
}
