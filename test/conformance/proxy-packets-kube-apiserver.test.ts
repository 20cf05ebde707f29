import { sameTestsOn } from './on-server.ts';

await sameTestsOn('kube-apiserver', "every row of the proxy's semantics with real packets", () => import('../integration/proxy-packets.test.ts'));
