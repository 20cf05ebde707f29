// dockerode without what a node agent never uses: build sessions (gRPC) and the ssh transport. Loading those costs half a second
// and 25 MB in every agent; dockerode requires them at once, so empty modules stand in their places before it is loaded.
import { createRequire } from 'node:module';
import type DockerodeClass from 'dockerode';

const require = createRequire(import.meta.url);

function standIn(parent: string, file: string): void {
  const path = createRequire(require.resolve(parent)).resolve(file);
  require.cache[path] ??= { id: path, filename: path, path, loaded: true, exports: {}, children: [], paths: [], parent: null, isPreloading: false, require } as unknown as NodeJS.Module;
}

standIn('dockerode', './session');
standIn('docker-modem', './ssh');

export const Dockerode = require('dockerode') as typeof DockerodeClass;
