import test from 'ava';
import fc from 'fast-check';
import type { AllocationContext, AllocationSettings, Claims } from '../registry/definition.ts';
import { fieldErrorText } from '../registry/field-error.ts';
import { addressAt, allocateService, holderOf, parseIpRange, planRepair, rangeHas, serviceClaims } from './index.ts';
import type { ServiceInput } from './service-input.ts';

const single: AllocationSettings = { serviceClusterIpRanges: ['10.96.0.0/16'], serviceNodePortRange: { from: 30000, to: 32767 } };
const dual: AllocationSettings = { ...single, serviceClusterIpRanges: ['10.96.0.0/16', 'fd00:96::/112'] };

/** Claims in memory, for one holder at a time. */
class Book {
  readonly held = new Map<string, string>();

  claims(holder: string): Claims {
    return {
      owner: (key) => this.held.get(key),
      take: (key) => {
        if ((this.held.get(key) ?? holder) !== holder) return false;
        this.held.set(key, holder);
        return true;
      },
      release: (key) => {
        if (this.held.get(key) === holder) this.held.delete(key);
      },
      count: (prefix) => [...this.held.keys()].filter((key) => key.startsWith(prefix)).length,
    };
  }

  run(service: ServiceInput, operation: AllocationContext['operation'], old?: ServiceInput, settings = single): string[] {
    const context = { operation, ...(old && { old }), claims: this.claims(holderOf(service)), settings };
    return allocateService(service, context).map(fieldErrorText);
  }
}

const service = (name: string, spec: NonNullable<ServiceInput['spec']>): ServiceInput => ({ metadata: { namespace: 'default', name }, spec: { type: 'ClusterIP', ...spec } });

test('a Service gets a cluster IP of the range, and gives it back when it is deleted', (t) => {
  const book = new Book();
  const web = service('web', { ports: [{ port: 80 }] });
  t.deepEqual(book.run(web, 'create'), []);
  t.true(rangeHas(parseIpRange('10.96.0.0/16'), web.spec!.clusterIP!));
  t.deepEqual(web.spec!.clusterIPs, [web.spec!.clusterIP!]);
  t.deepEqual([web.spec!.ipFamilies, web.spec!.ipFamilyPolicy], [['IPv4'], 'SingleStack']);
  t.is(book.held.size, 1);
  book.run(web, 'delete', web);
  t.is(book.held.size, 0);
});

test('an address that is taken or outside the range is refused with the real words', (t) => {
  const book = new Book();
  t.deepEqual(book.run(service('a', { clusterIP: '10.96.0.10' }), 'create'), []);
  t.deepEqual(book.run(service('b', { clusterIP: '10.96.0.10' }), 'create'), ['spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated']);
  t.deepEqual(book.run(service('b', { clusterIP: '10.97.0.10' }), 'create'), ['spec.clusterIPs: Invalid value: ["10.97.0.10"]: failed to allocate IP 10.97.0.10: provided IP is not in the valid range. The range of valid IPs is 10.96.0.0/16']);
});

test('a node port that is taken or outside the range is refused with the real words', (t) => {
  const book = new Book();
  const node = (name: string, nodePort: number): ServiceInput => service(name, { type: 'NodePort', ports: [{ port: 80, nodePort }] });
  t.deepEqual(book.run(node('a', 30080), 'create'), []);
  t.deepEqual(book.run(node('b', 30080), 'create'), ['spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated']);
  t.deepEqual(book.run(node('b', 80), 'create'), ['spec.ports[0].nodePort: Invalid value: 80: provided port is not in the valid range. The range of valid ports is 30000-32767']);
});

test('one port over TCP and UDP gets one node port; another port gets another', (t) => {
  const dns = service('dns', { type: 'NodePort', ports: [{ port: 53, protocol: 'TCP' }, { port: 53, protocol: 'UDP' }, { port: 80, protocol: 'TCP' }] });
  t.deepEqual(new Book().run(dns, 'create'), []);
  const [tcp, udp, web] = dns.spec!.ports!.map((port) => port.nodePort);
  t.is(tcp, udp);
  t.not(tcp, web);
});

test('headless and ExternalName Services hold no address', (t) => {
  const book = new Book();
  const headless = service('h', { clusterIP: 'None', selector: { app: 'x' } });
  t.deepEqual(book.run(headless, 'create'), []);
  t.deepEqual([headless.spec!.clusterIPs, headless.spec!.ipFamilies], [['None'], ['IPv4']]);
  t.deepEqual(book.run(service('e', { type: 'ExternalName', externalName: 'x.y' }), 'create'), []);
  t.is(book.held.size, 0);
});

test('a change of type releases and takes what the new type needs', (t) => {
  const book = new Book();
  const web = service('web', { type: 'NodePort', ports: [{ port: 80 }] });
  book.run(web, 'create');
  t.is(book.held.size, 2);
  const internal = structuredClone(web);
  internal.spec!.type = 'ClusterIP';
  delete internal.spec!.ports![0]!.nodePort;
  t.deepEqual(book.run(internal, 'update', web), []);
  t.is(book.held.size, 1);
  t.is(internal.spec!.clusterIP, web.spec!.clusterIP);
});

test('dual stack: PreferDualStack takes what there is, RequireDualStack insists', (t) => {
  const prefer = (): ServiceInput => service('p', { ipFamilyPolicy: 'PreferDualStack', ports: [{ port: 80 }] });
  const [one, two] = [prefer(), prefer()];
  t.deepEqual(new Book().run(one, 'create'), []);
  t.is(one.spec!.clusterIPs!.length, 1);
  t.deepEqual(new Book().run(two, 'create', undefined, dual), []);
  t.deepEqual(two.spec!.ipFamilies, ['IPv4', 'IPv6']);
  t.true(rangeHas(parseIpRange('fd00:96::/112'), two.spec!.clusterIPs![1]!));
  t.deepEqual(new Book().run(service('r', { ipFamilyPolicy: 'RequireDualStack' }), 'create'), ['spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services']);
  t.deepEqual(new Book().run(service('r', { ipFamilies: ['IPv6'] }), 'create'), ['spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster']);
});

test('two addresses or families without a policy are refused with the real words', (t) => {
  const refusal = (what: string): string => `spec.ipFamilyPolicy: Invalid value: "SingleStack": must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`;
  t.deepEqual(new Book().run(service('r', { clusterIP: '10.96.0.20', clusterIPs: ['10.96.0.20', 'fd00:96::20'] }), 'create', undefined, dual), [refusal('cluster IPs')]);
  t.deepEqual(new Book().run(service('r', { ipFamilies: ['IPv4', 'IPv6'] }), 'create', undefined, dual), [refusal('IP families')]);
});

test('externalTrafficPolicy Local of a LoadBalancer takes a health check port', (t) => {
  const book = new Book();
  const balancer = service('lb', { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: [{ port: 80 }] });
  t.deepEqual(book.run(balancer, 'create'), []);
  t.true(balancer.spec!.healthCheckNodePort! >= 30000);
  t.is(book.held.size, 3);
});

test('a small range is used to its last address, then it is full', (t) => {
  const book = new Book();
  const settings = { ...single, serviceClusterIpRanges: ['10.0.0.0/28'] };
  const addresses = new Set(Array.from({ length: 14 }, (_, index) => {
    const item = service(`s${index}`, {});
    t.deepEqual(book.run(item, 'create', undefined, settings), []);
    return item.spec!.clusterIP;
  }));
  t.is(addresses.size, 14);
  t.deepEqual(book.run(service('more', {}), 'create', undefined, settings), ['spec.clusterIPs: Internal error: failed to allocate a serviceIP: range 10.0.0.0/28 is full']);
});

test('claims always equal what the stored Services need, whatever is created, changed and deleted', (t) => {
  const step = fc.record({ name: fc.constantFrom('a', 'b', 'c'), type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'), ports: fc.integer({ min: 1, max: 3 }), remove: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
    const book = new Book();
    const stored = new Map<string, ServiceInput>();
    for (const { name, type, ports, remove } of steps) {
      const old = stored.get(name);
      const next = service(name, { type, ports: Array.from({ length: ports }, (_, index) => ({ port: 80 + index })) });
      if (old !== undefined && remove) {
        book.run(old, 'delete', old);
        stored.delete(name);
      } else {
        if (type !== 'ExternalName' && old?.spec?.clusterIP !== undefined) next.spec!.clusterIP = old.spec.clusterIP;
        t.deepEqual(book.run(next, old === undefined ? 'create' : 'update', old, dual), []);
        stored.set(name, next);
      }
    }
    const needed = [...stored.values()].flatMap((item) => serviceClaims(item, dual));
    t.deepEqual([...book.held.keys()].sort(), needed.sort());
    t.deepEqual(planRepair([...stored.values()], book.held, dual), { missing: [], leaked: [], conflicts: [] });
  }), { numRuns: 60 });
});

test('repair finds what is missing, leaked and held twice', (t) => {
  const one = service('one', { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'] });
  const two = service('two', { clusterIP: '10.96.0.5', clusterIPs: ['10.96.0.5'] });
  const repair = planRepair([one, two], new Map([['nodeport/30001', 'services/default/gone']]), single);
  t.deepEqual(repair.missing, [{ key: 'ip/10.96.0.0/16/10.96.0.5', holder: 'services/default/one' }]);
  t.deepEqual(repair.leaked, ['nodeport/30001']);
  t.deepEqual(repair.conflicts, [{ key: 'ip/10.96.0.0/16/10.96.0.5', holders: ['services/default/one', 'services/default/two'] }]);
});

test('the first address of a range is .1 and the last is before broadcast', (t) => {
  const range = parseIpRange('10.96.0.0/24');
  t.is(addressAt(range, 0n), '10.96.0.1');
  t.is(addressAt(range, range.size - 1n), '10.96.0.254');
  t.false(rangeHas(range, '10.96.0.0'));
  t.false(rangeHas(range, '10.96.0.255'));
});
