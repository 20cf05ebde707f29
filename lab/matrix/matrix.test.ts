import test from 'ava';
import type { Service } from '@podwire/kube-client';
import { LabError } from '../errors.ts';
import { desiredCells } from './cells.ts';
import { parseFilter } from './filter.ts';
import { PATHS } from './model.ts';
import type { Cell } from './model.ts';
import { cluster, found, only } from './testing.ts';
import { nextAddress } from './topology.ts';
import { APP_LABEL, podObjects, serviceObjects } from './workload-objects.ts';

test('three nodes have every kind of path, on the same node and across, over TCP and UDP', (t) => {
  const cells = desiredCells(cluster(3));
  const count = (filter: string): number => cells.filter(parseFilter(filter)).length;
  t.is(count('path=pod to pod,locality=same node,protocol=tcp'), 3);
  t.is(count('path=pod to pod,locality=cross node,protocol=udp'), 6);
  t.is(count('path=pod to cluster IP,protocol=tcp'), 9);
  t.is(count('path=pod to itself through its Service,protocol=tcp'), 3);
  t.is(count('path=pod to node port,protocol=tcp'), 12);
  t.is(count('path=node to cluster IP,protocol=udp'), 9);
  t.is(count('path=outside to node port,protocol=tcp'), 6);
  t.is(count('path=pod to API server'), 3);
  t.is(count('family=IPv6'), 0);
});

test('ids are unique and name place, path, target, protocol and family', (t) => {
  const ids = desiredCells(cluster(4, { v6: true })).map(({ id }) => id);
  t.is(new Set(ids).size, ids.length);
  t.true(ids.includes('pod-to-cluster-ip/probe-node1-a/svc-on-node2/udp/ipv4'));
});

test('a dual-stack cluster has the same cells for IPv6; a target without an address of it is skipped by name', (t) => {
  const topology = cluster(2, { v6: true });
  t.is(found(topology, 'family=ipv6,path=pod to pod').length, found(topology, 'family=ipv4,path=pod to pod').length);
  t.is(only(topology, 'family=ipv6,path=pod to external IP').host, '2001:db8::10');
  t.regex(only(topology, 'family=ipv6,path=pod to LoadBalancer').skip ?? '', /nobody gives LoadBalancer Services an address/);
  t.regex(only(topology, 'family=ipv6,path=outside to node port').skip ?? '', /no IPv6 address that the nodes reach/);
});

test('only what the cluster lacks is skipped', (t) => {
  const reasons = new Set(desiredCells(cluster(3)).flatMap(({ skip }) => skip ?? []));
  t.deepEqual([...reasons].sort(), ['nobody gives LoadBalancer Services an address here', 'the probe speaks no SCTP: Node has none; rows in the kernel are tested with the proxy']);
});

test('one node alone has no cell across nodes, and no cell is there twice', (t) => {
  const cells = desiredCells(cluster(1));
  t.is(cells.filter(({ locality }) => locality === 'cross node').length, 0);
  t.is(new Set(cells.map(({ id }) => id)).size, cells.length);
});

test('expected sources: the pod itself, the node that masquerades, the machine where the policy keeps it', (t) => {
  const topology = cluster(2);
  const node2 = ['192.168.0.12', '10.244.2.0', '10.244.2.1'];
  t.deepEqual(only(topology, 'path=pod to pod,from~node1,to~node2,protocol=tcp').sources, ['10.244.1.10']);
  t.like(only(topology, 'path=pod to cluster IP,from~node2,to~on-node2,protocol=tcp'), { sources: ['10.244.2.10'], ownSources: node2 });
  t.deepEqual(only(topology, 'path=pod to node port,from~node1,to~at node2,protocol=tcp').sources, node2);
  t.like(only(topology, 'path=outside to node port (Local),to~at node1,protocol=tcp'), { expected: 'ok', sources: ['192.168.0.1'] });
  t.like(only(topology, 'path=outside to node port (Local),to~at node2,protocol=tcp'), { expected: 'timeout' });
});

test('policy Local: from elsewhere only a node with an endpoint answers, and sees the sender; in the cluster the own node always does', (t) => {
  const topology = cluster(3);
  const one = (filter: string): Cell => only(topology, `${filter},protocol=udp`);
  t.like(one('path=pod to cluster IP (Local),from~node1'), { expected: 'ok', answeredBy: ['probe-node1-a', 'probe-node1-b'], sources: ['10.244.1.10'] });
  t.like(one('path=pod to cluster IP (Local),from~node2'), { expected: 'timeout', answeredBy: [] });
  t.like(one('path=pod to node port (Local),from~probe-node2,to~at node2'), { expected: 'ok', sources: ['10.244.2.10'], answeredBy: ['probe-node1-a', 'probe-node1-b'] });
  t.like(one('path=pod to node port (Local),from~probe-node2,to~at node3'), { expected: 'timeout' });
  t.like(one('path=pod to node port (Local),from~probe-node3,to~at node1'), { expected: 'ok', sources: ['192.168.0.13', '10.244.3.0', '10.244.3.1'] });
  const balancer = cluster(2, { balancer: '192.168.0.200' });
  t.like(only(balancer, 'path=outside to LoadBalancer (Local),protocol=tcp'), { host: '192.168.0.200', expected: 'ok', sources: ['192.168.0.1'], answeredBy: ['probe-node1-a', 'probe-node1-b', 'probe-node2-a', 'probe-node2-b'] });
  t.like(only(balancer, 'path=pod to LoadBalancer (Local),from~node1,protocol=tcp'), { host: '192.168.0.200', sources: ['10.244.1.10'] });
});

test('every kind of path is there for TCP and UDP in both families, or is skipped with a reason', (t) => {
  const cells = desiredCells(cluster(3, { v6: true, balancer: '192.168.0.200' }));
  const disruptive = ['endpoints come and go', 'pods are killed', 'node loss'];
  for (const path of PATHS.filter((one) => !disruptive.includes(one))) {
    for (const family of ['IPv4', 'IPv6']) {
      for (const protocol of ['TCP', 'UDP']) {
        const found = cells.filter((cell) => cell.path === path && cell.family === family && cell.protocol === protocol);
        // The API server and everybody else's Services are only connected to; this test's have no IPv6 address.
        if (!['pod to API server', 'Service of the cluster'].includes(path)) t.true(found.length > 0, `${path} ${family} ${protocol}`);
      }
    }
  }
  t.true(cells.every(({ host, skip, lookup }) => host !== '' || skip !== undefined || lookup !== undefined));
});

test('refusals and silence are expected where there is nobody', (t) => {
  const topology = cluster(2);
  t.is(only(topology, 'path=no endpoints,from~pod').expected, 'refused');
  t.is(only(topology, 'path=unknown port').expected, 'refused');
  t.like(only(topology, 'path=unallocated cluster IP'), { expected: 'timeout', host: '10.96.255.253' });
});

test('names are asked of the DNS of the same family over the same protocol: short, full, and one that nobody has', (t) => {
  const topology = cluster(2, { v6: true });
  const cells = found(topology, 'path=pod to DNS name,from~node1,protocol=udp,family=ipv6');
  t.deepEqual(cells.map(({ lookup, host, expected }) => [lookup?.name, lookup?.server, lookup?.port, host, expected]), [
    ['on-node2', 'fd00:96::a', 53, topology.services.get('on-node2')?.clusterIPs[1], 'ok'], ['on-node2.podwire-matrix.svc.cluster.local.', 'fd00:96::a', 53, topology.services.get('on-node2')?.clusterIPs[1], 'ok'],
    ['nobody.podwire-matrix.svc.cluster.local.', 'fd00:96::a', 53, '', 'refused'],
  ]);
  t.true(found(cluster(2, { dns: false }), 'path=pod to DNS name').every(({ skip }) => skip === 'the cluster has no DNS: no Service kube-system/kube-dns'));
});

test('everybody else\'s Services are connected to; headless and ExternalName ones are not there', (t) => {
  const service = (name: string, spec: NonNullable<Service['spec']>): Service => ({ metadata: { namespace: 'default', name }, spec });
  const topology = cluster(2, {
    others: [
      service('web', { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'], ports: [{ port: 80, nodePort: 30080 }] }),
      service('headless', { clusterIP: 'None', clusterIPs: ['None'], ports: [{ port: 80 }] }), service('elsewhere', { type: 'ExternalName', externalName: 'example.com' }),
    ],
  });
  const cells = found(topology, 'path=Service of the cluster,to~default/');
  t.deepEqual(new Set(cells.map(({ to }) => to)), new Set(['svc default/kubernetes', 'svc default/web:80', 'svc default/web at node1', 'svc default/web at node2']));
  t.true(cells.filter(({ to }) => to.includes('web')).every(({ expected, answeredBy }) => expected === 'refused' && answeredBy === undefined)); // it has no endpoints
});

test('without an address of its own the machine cannot be probed from, and says so', (t) => {
  t.true(found(cluster(2, { outside: false }), 'from=outside').every(({ skip }) => skip !== undefined));
});

test('a filter compares and looks for parts; all its parts must hold; a wrong field is named', (t) => {
  const cells = desiredCells(cluster(2));
  const all = (filter: string, holds: (cell: Cell) => boolean): void => {
    const some = cells.filter(parseFilter(filter));
    t.true(some.length > 0 && some.every(holds), filter);
  };
  all('protocol=UDP, from!~outside', (cell) => cell.protocol === 'UDP' && cell.place.kind !== 'outside');
  all('path~node port', (cell) => cell.path.includes('node port'));
  all('on-node2/udp', (cell) => cell.id.includes('on-node2/udp'));
  t.is(cells.filter(parseFilter('')).length, cells.length);
  t.throws(() => parseFilter('colour=red'), { instanceOf: LabError, message: /'colour' in 'colour=red' is no field of a cell; there are id, from, to/ });
});

test('addresses are counted across byte boundaries, up and down, in both families', (t) => {
  t.is(nextAddress('10.0.0.255', 1), '10.0.1.0');
  t.is(nextAddress('10.1.0.0', -1), '10.0.255.255');
  t.is(nextAddress('fd00::ffff', 1), 'fd00::1:0');
});

test('the probe pods carry what the Services select by', (t) => {
  const pods = podObjects(['node1', 'node2']);
  for (const { spec, metadata } of serviceObjects(['node1', 'node2'])) {
    const selected = pods.filter((pod) => Object.entries(spec?.selector ?? {}).every(([key, value]) => pod.metadata?.labels?.[key] === value));
    t.is(selected.length, { probe: 4, sticky: 4, balanced: 4, 'balanced-local': 4, none: 0, local: 2, 'inner-local': 2 }[metadata?.name ?? ''] ?? (metadata?.name?.startsWith('on-') === true ? 2 : 1), metadata?.name);
  }
  t.is(APP_LABEL, 'app=probe');
});
