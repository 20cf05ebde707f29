import { sameTestsOn } from './on-server.ts';

await sameTestsOn('kube-apiserver', "a cluster IP and a node port, TCP and UDP, IPv4 and IPv6", () => import('../integration/proxy-first.test.ts'));
