import test from 'ava';
import { KubeClient, resources } from '@podwire/kube-client';
import { startProxy } from '@podwire/proxy';
import { ADDRESSES, createNetLab } from '../../proxy/testing/netlab.ts';
import { node, service, slice } from '../../proxy/testing/objects.ts';
import { startApiUnderTest } from '../helpers/api-under-test.ts';

const log = { info: () => undefined, warn: (_fields: object, message: string) => console.error(message), error: (_fields: object, message: string) => console.error(message) };

test('a cluster IP and a node port answer over TCP and UDP, on this node and across', async (t) => {
  await using lab = await createNetLab();
  await using api = await startApiUnderTest();
  api.put(resources.nodes, node('node1', ADDRESSES.node1));
  api.put(resources.services, service('web', ['10.96.0.10', 'fd96::10'], { type: 'NodePort', ports: [{ name: 't', protocol: 'TCP', port: 80, nodePort: 30080 }, { name: 'u', protocol: 'UDP', port: 80, nodePort: 30080 }] }));
  api.put(resources.endpointSlices, slice('web-4', 'web', [{ address: ADDRESSES.b[0], node: 'node1' }, { address: ADDRESSES.c[0], node: 'node2' }]));
  api.put(resources.endpointSlices, slice('web-6', 'web', [{ address: ADDRESSES.b[1], node: 'node1' }, { address: ADDRESSES.c[1], node: 'node2' }]));
  await api.settled();
  const client = new KubeClient(api.access);
  const proxy = await startProxy({ client, nodeName: 'node1', log, config: { clusterCIDRs: ['10.244.0.0/16', 'fd44::/16'] } });
  await using undo = new AsyncDisposableStack(); // before the server goes
  undo.defer(() => client.close());
  undo.defer(() => proxy.stop());
  await proxy.waitForSync(AbortSignal.timeout(5000));
  const names = async (from: typeof lab.a, host: string, port: number, protocol: 'tcp' | 'udp'): Promise<string[]> => [...new Set(await from.ask({ protocol, host, port, count: 24 }))].sort();
  for (const protocol of ['tcp', 'udp'] as const) {
    t.deepEqual(await names(lab.a, '10.96.0.10', 80, protocol), ['b|10.244.1.2', 'c|10.244.1.2'], `pod ${protocol}`);
    t.deepEqual(await names(lab.a, 'fd96::10', 80, protocol), ['b|fd44:1::2', 'c|fd44:1::2'], `pod ${protocol} v6`);
    t.deepEqual(await names(lab.outside, ADDRESSES.node1[0], 30080, protocol), ['b|10.244.1.1', 'c|192.168.77.1'], `outside ${protocol}`);
    t.deepEqual(await names(lab.outside, ADDRESSES.node1[1], 30080, protocol), ['b|fd44:1::1', 'c|fd77::1'], `outside ${protocol} v6`);
    t.deepEqual(await names(lab.node1, '10.96.0.10', 80, protocol), ['b|10.244.1.1', 'c|192.168.77.1'], `node ${protocol}`);
  }
});
