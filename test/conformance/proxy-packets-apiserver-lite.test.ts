import { sameTestsOn } from './on-server.ts';

await sameTestsOn('apiserver-lite', "every row of the proxy's semantics with real packets", () => import('../integration/proxy-packets.test.ts'));
