import { sameTestsOn } from './on-server.ts';

await sameTestsOn('kube-apiserver', "the proxy as a program of its own", () => import('../integration/proxy-alone.test.ts'));
