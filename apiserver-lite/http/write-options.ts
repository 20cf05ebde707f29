import type { IncomingMessage } from 'node:http';
import type { FieldValidation, User, WriteOptions } from '../rest/context.ts';
import { badRequest } from './status-error.ts';

const validations: readonly string[] = ['Strict', 'Warn', 'Ignore'];

/** dryRun, fieldValidation and fieldManager of a write. */
export function writeOptions(request: IncomingMessage, query: URLSearchParams, user: User): WriteOptions {
  const dryRun = query.getAll('dryRun').filter((value) => value !== '');
  if (dryRun.some((value) => value !== 'All')) throw badRequest(`dryRun: Unsupported value: "${dryRun.join(',')}": supported values: "All"`);
  const fieldValidation = query.get('fieldValidation') ?? 'Warn';
  if (!validations.includes(fieldValidation)) throw badRequest(`fieldValidation: Unsupported value: "${fieldValidation}": supported values: "Ignore", "Strict", "Warn"`);
  const agent = (request.headers['user-agent'] ?? 'unknown').split('/')[0] ?? 'unknown';
  return { dryRun: dryRun.length > 0, fieldValidation: fieldValidation as FieldValidation, fieldManager: query.get('fieldManager') ?? agent, user, warnings: [] };
}
