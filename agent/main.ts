// ./podwire agent: the command line of the agent.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Compiled code is kept: the next start needs half the time, and less memory, since no TypeScript has to be stripped again.
enableCompileCache(process.env['NODE_COMPILE_CACHE'] ?? join(import.meta.dirname, '..', '.cache', 'compile'));
await import('./command.ts');
