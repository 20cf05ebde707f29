// ./podwire apiserver. Compiled code (types already stripped) is kept between starts: a start takes half the time and memory.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

enableCompileCache(join(import.meta.dirname, '..', '.cache', 'compile'));
(await import('./young-generation.ts')).keepYoungGenerationSmall();
await import('./command.ts');
