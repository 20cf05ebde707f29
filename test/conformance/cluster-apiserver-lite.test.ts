import { sameTestsOn } from './on-server.ts';

await sameTestsOn('apiserver-lite', 'our controllers, scheduler and proxy, by kubectl', () => import('./cluster.ts'));
