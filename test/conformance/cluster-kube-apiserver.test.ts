import { sameTestsOn } from './on-server.ts';

await sameTestsOn('kube-apiserver', 'our controllers, scheduler and proxy, by kubectl', () => import('./cluster.ts'));
