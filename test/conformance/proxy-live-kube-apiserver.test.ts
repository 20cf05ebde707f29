import { sameTestsOn } from './on-server.ts';

await sameTestsOn('kube-apiserver', "the running proxy: rolling updates, restarts, UDP flows, drift, a lost API server", () => import('../integration/proxy-live.test.ts'));
