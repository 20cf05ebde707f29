// What one family's table holds, and the least that must change for a Service to look as wanted. Deterministic and without
// I/O: changes go to a RowSink; whoever writes them decides when the second step of a removal (`retire`) may follow.
import type { IpFamily } from './address.ts';
import { numberAddress } from './address.ts';
import type { Backend } from './categorize.ts';
import type { DesiredPort, DesiredService } from './desired.ts';
import { Fronts, frontKey } from './fronts.ts';
import type { Conflict } from './fronts.ts';
import { IdPool } from './ids.ts';
import { maglevTable } from './maglev.ts';
import { PortState } from './port-state.ts';
import type { EndpointState } from './port-state.ts';
import { MAX_ENDPOINT_ID, MAX_SERVICE_NUMBER, serviceId, serviceNumber } from './rows.ts';
import type { Row, RowSink } from './rows.ts';
import type { Slots } from './slots.ts';
import type { AddressRange } from './address.ts';

export interface TableEvents {
  readonly onConflict?: (conflict: Conflict) => void;
  /** An endpoint left a service port: connections to it are stale. */
  readonly onEndpointGone?: (port: PortState, endpoint: EndpointState) => void;
  /** A frontend came, went or leads to another chain: flows that passed it by, or that it rewrote, are stale. */
  readonly onFrontChanged?: (port: PortState, frontKey: string, isThere: boolean) => void;
}

export class TableState {
  readonly family: IpFamily;
  readonly #events: TableEvents;
  readonly fronts: Fronts;
  readonly #services = new Map<string, Map<string, PortState>>();
  readonly #ports: (PortState | undefined)[] = [];
  readonly #endpoints: (EndpointState | undefined)[] = [];
  readonly #portIds = new IdPool(MAX_SERVICE_NUMBER);
  readonly #endpointIds = new IdPool(MAX_ENDPOINT_ID);
  readonly #clusterIPs = new Map<string, number>();
  readonly #hairpins = new Map<string, number>();
  readonly #retiring = new Set<PortState>();
  readonly #orphans = new Set<number>();
  readonly #adoptedRows = new Map<string, Row>();

  constructor(family: IpFamily, events: TableEvents = {}) {
    this.family = family;
    this.#events = events;
    this.fronts = new Fronts(events.onConflict ?? (() => undefined));
  }

  get serviceKeys(): IterableIterator<string> { return this.#services.keys(); }
  get hasRetired(): boolean { return this.#retiring.size > 0; }
  portsOf(service: string): readonly PortState[] { return [...(this.#services.get(service)?.values() ?? [])]; }
  portById(id: number): PortState | undefined { return this.#ports[serviceNumber(id)]; }
  endpointById(id: number): EndpointState | undefined { return this.#endpoints[id]; }
  /** Every port that has rows, the removed ones until they are retired. */
  *ports(): Generator<PortState> { for (const port of this.#ports) if (port !== undefined) yield port; }
  hairpinAddresses(): IterableIterator<string> { return this.#hairpins.keys(); }
  clusterIPs(): IterableIterator<string> { return this.#clusterIPs.keys(); }

  /** Brings the rows of one Service to what is wanted; undefined: it has none any more. */
  update(key: string, wanted: DesiredService | undefined, sink: RowSink): void {
    const ports = this.#services.get(key) ?? new Map<string, PortState>();
    const kept = new Set<string>();
    for (const port of wanted?.ports ?? []) {
      kept.add(port.key);
      const known = ports.get(port.key);
      const state = known ?? this.#adoptable(port) ?? this.#create(port);
      const created = wanted?.created ?? '';
      const isRenamed = state.key !== port.key || state.created !== created;
      state.key = port.key;
      state.service = key;
      state.created = created;
      if (isRenamed) this.fronts.reorder(state, sink);
      ports.set(port.key, state);
      this.#updatePort(state, port, sink);
    }
    for (const [portKey, port] of ports) {
      if (kept.has(portKey)) continue;
      this.removePort(port, sink);
      ports.delete(portKey);
    }
    if (ports.size === 0) this.#services.delete(key);
    else this.#services.set(key, ports);
  }

  /** Rows that an earlier proxy left and no Service has claimed. */
  removeAdopted(sink: RowSink): void {
    for (const id of this.#orphans) {
      sink.remove({ map: 'endpoint', key: [id] });
      this.#endpointIds.release(id);
    }
    this.#orphans.clear();
    for (const row of this.#adoptedRows.values()) sink.remove(row);
    this.#adoptedRows.clear();
    for (const port of this.ports()) if (port.isAdopted && !port.isRemoved) this.removePort(port, sink);
  }

  /** Second step: rows that no packet on its way can look up any more. */
  retire(sink: RowSink): void {
    for (const port of this.#retiring) {
      port.base.retire(sink);
      port.twin?.retire(sink);
      for (const endpoint of port.zombies.values()) {
        sink.remove({ map: 'endpoint', key: [endpoint.id] });
        if (port.removeOwner(endpoint.id)) sink.remove({ map: 'owner', key: [endpoint.id] });
        this.#endpoints[endpoint.id] = undefined;
        this.#endpointIds.release(endpoint.id);
      }
      port.forgetZombies();
      if (port.twin?.count === 0) port.twin = undefined;
      if (!port.isRemoved) continue;
      this.#ports[serviceNumber(port.id)] = undefined;
      this.#portIds.release(serviceNumber(port.id));
    }
    this.#retiring.clear();
  }

  /** A service port as the kernel holds it, without a Service yet. */
  adoptPort(id: number): PortState {
    const known = this.#ports[serviceNumber(id)];
    if (known !== undefined) return known;
    const port = new PortState(id, '', '', '');
    this.#ports[serviceNumber(id)] = port;
    this.#portIds.reserve(serviceNumber(id));
    return port;
  }

  /** False: the port has such an endpoint already, under another id. */
  adoptEndpoint(port: PortState, id: number, address: string, number: number): boolean {
    const key = `${address} ${number}`;
    if (port.endpoints.has(key)) return false;
    const endpoint: EndpointState = { id, key, address, port: number, mayBeLocal: false, hasHairpin: false };
    this.#endpoints[id] = endpoint;
    this.#endpointIds.reserve(id);
    port.endpoints.set(key, endpoint);
    return true;
  }

  /** An endpoint row that no slot leads to: what an earlier proxy had not come to retire. Its id may not be given out before the row is gone. */
  adoptOrphan(id: number): void {
    this.#orphans.add(id);
    this.#endpointIds.reserve(id);
  }

  /** A `svc-ip` or `hairpin` row of an earlier proxy: whoever needs it finds it there. */
  adoptShared(row: Row): void { this.#adoptedRows.set(sharedKey(row), row); }

  #create(wanted: DesiredPort): PortState {
    const number = this.#portIds.take();
    const port = new PortState(serviceId(number), wanted.key, '', '');
    this.#ports[number] = port;
    return port;
  }

  #adoptable(wanted: DesiredPort): PortState | undefined {
    for (const front of wanted.fronts) {
      const owner = this.fronts.owner(frontKey(front));
      if (owner?.isAdopted === true && !owner.isRemoved) return owner;
    }
    return undefined;
  }

  #updatePort(port: PortState, wanted: DesiredPort, sink: RowSink): void {
    const { cluster, local } = wanted;
    this.#setEndpoints(port, local === undefined ? cluster : [...cluster, ...local], sink);
    this.#setSlots(port, port.base, cluster, wanted.isHashed, sink);
    const twinBefore = port.twin?.slots.slice(0, port.twin.used).join();
    if (local !== undefined) this.#setSlots(port, port.ensureTwin(), local, wanted.isHashed, sink);
    else if (port.twin !== undefined) this.#setSlots(port, port.twin, [], false, sink);
    this.#setSticky(port, wanted, sink);
    setSources(this.family, port, wanted.sources, sink);
    this.#setClusterIPs(port, wanted.clusterIPs, sink);
    this.#setFronts(port, wanted.fronts, sink);
    if (twinBefore !== undefined && twinBefore !== port.twin?.slots.slice(0, port.twin.used).join()) for (const key of port.fronts.keys()) this.#events.onFrontChanged?.(port, key, true);
    if (port.base.hasRetired || port.twin?.hasRetired === true || port.twin?.count === 0 || port.zombies.size > 0) this.#retiring.add(port);
  }

  removePort(port: PortState, sink: RowSink): void {
    this.#setFronts(port, [], sink);
    this.#setClusterIPs(port, [], sink);
    setSources(this.family, port, undefined, sink);
    this.#setSticky(port, undefined, sink);
    port.base.spread([], sink);
    port.twin?.spread([], sink);
    this.#setEndpoints(port, [], sink);
    port.isRemoved = true;
    this.#retiring.add(port);
  }

  #setFronts(port: PortState, wanted: DesiredPort['fronts'], sink: RowSink): void {
    const before = new Map(port.fronts);
    this.fronts.set(port, wanted, sink);
    const told = this.#events.onFrontChanged;
    if (told === undefined) return;
    for (const key of before.keys()) if (!port.fronts.has(key)) told(port, key, false);
    for (const [key, value] of port.fronts) if (before.get(key) !== value) told(port, key, true);
  }

  #setEndpoints(port: PortState, wanted: readonly Backend[], sink: RowSink): void {
    const isNew = port.endpoints.size === 0 && port.zombies.size === 0;
    const keys = new Set<string>();
    for (const backend of wanted) {
      // A first load has 300,000 of them: the port's own map then serves for telling duplicates.
      if (isNew ? port.endpoints.has(backend.key) : keys.has(backend.key)) continue;
      if (!isNew) keys.add(backend.key);
      const known = port.endpoints.get(backend.key) ?? port.zombies.get(backend.key);
      const endpoint = known ?? this.#newEndpoint(backend, sink);
      port.removeZombie(backend.key);
      port.endpoints.set(backend.key, endpoint);
      endpoint.mayBeLocal = backend.mayBeLocal;
      this.#setHairpin(endpoint, backend.mayBeLocal, sink);
    }
    if (isNew) return;
    for (const [key, endpoint] of port.endpoints) {
      if (keys.has(key)) continue;
      port.endpoints.delete(key);
      port.addZombie(endpoint);
      this.#setHairpin(endpoint, false, sink);
      this.#events.onEndpointGone?.(port, endpoint);
    }
  }

  #newEndpoint(backend: Backend, sink: RowSink): EndpointState {
    const { key, address, port } = backend;
    const endpoint: EndpointState = { id: this.#endpointIds.take(), key, address, port, mayBeLocal: backend.mayBeLocal, hasHairpin: false };
    this.#endpoints[endpoint.id] = endpoint;
    sink.add({ map: 'endpoint', key: [endpoint.id], data: [address, port] });
    return endpoint;
  }

  #setHairpin(endpoint: EndpointState, wanted: boolean, sink: RowSink): void {
    if (endpoint.hasHairpin === wanted) return;
    endpoint.hasHairpin = wanted;
    const { address } = endpoint;
    this.#count(this.#hairpins, address, wanted, { map: 'hairpin', key: [address, address] }, sink);
  }

  #setSlots(port: PortState, slots: Slots, backends: readonly Backend[], isHashed: boolean, sink: RowSink): void {
    const ids = backends.map((backend) => port.endpoints.get(backend.key)?.id ?? 0);
    if (isHashed) slots.assign(maglevTable(backends.map((backend) => backend.key)).map((index) => ids[index] ?? 0), sink);
    else slots.spread(ids, sink);
  }

  #setSticky(port: PortState, wanted: DesiredPort | undefined, sink: RowSink): void {
    const seconds = wanted?.stickySeconds ?? 0;
    if (seconds === 0 && port.stickySeconds === 0 && port.live.size === 0 && port.owners.size === 0) return;
    const ids = seconds === 0 ? [] : port.twin === undefined || wanted?.local === undefined ? [port.id] : [port.id, port.twin.id];
    if (seconds !== port.stickySeconds && seconds !== 0) sink.addKeeper(seconds);
    for (const id of port.stickyIds) if (seconds !== port.stickySeconds || !ids.includes(id)) sink.remove({ map: 'sticky', key: [id] });
    for (const id of ids) if (seconds !== port.stickySeconds || !port.stickyIds.includes(id)) sink.add({ map: 'sticky', key: [id], data: [seconds] });
    if (seconds !== port.stickySeconds && port.stickySeconds !== 0) sink.removeKeeper(port.stickySeconds);
    port.stickyIds = ids;
    port.stickySeconds = seconds;
    const owners = seconds === 0 ? [] : [...port.endpoints.values()].map((endpoint) => endpoint.id);
    for (const id of owners) if (!port.owners.has(id)) { port.addOwner(id); sink.add({ map: 'owner', key: [id], data: [port.id] }); }
    if (seconds === 0) for (const id of port.owners) { port.removeOwner(id); sink.remove({ map: 'owner', key: [id] }); }
    const live = new Set<string>();
    const add = (id: number, backends: readonly Backend[]): void => { for (const { key } of backends) live.add(`${id} ${port.endpoints.get(key)?.id ?? 0}`); };
    if (seconds !== 0 && wanted !== undefined) {
      add(port.id, wanted.cluster);
      if (port.twin !== undefined) add(port.twin.id, wanted.local ?? []);
    }
    for (const key of port.live) if (!live.has(key)) sink.remove({ map: 'live', key: key.split(' ').map(Number) });
    for (const key of live) if (!port.live.has(key)) sink.add({ map: 'live', key: key.split(' ').map(Number) });
    port.setLive(live);
  }

  #setClusterIPs(port: PortState, wanted: readonly string[], sink: RowSink): void {
    for (const address of wanted) if (!port.clusterIPs.includes(address)) this.#count(this.#clusterIPs, address, true, { map: 'svc-ip', key: [address] }, sink);
    for (const address of port.clusterIPs) if (!wanted.includes(address)) this.#count(this.#clusterIPs, address, false, { map: 'svc-ip', key: [address] }, sink);
    port.clusterIPs = wanted;
  }

  /** A row that several share: there while anybody counts it. */
  #count(counts: Map<string, number>, key: string, up: boolean, row: Row, sink: RowSink): void {
    const before = counts.get(key) ?? 0;
    const after = before + (up ? 1 : -1);
    if (after === 0) counts.delete(key);
    else counts.set(key, after);
    if (before === 0 && (this.#adoptedRows.size === 0 || !this.#adoptedRows.delete(sharedKey(row)))) sink.add(row);
    if (after === 0) sink.remove(row);
  }
}

function sharedKey(row: Row): string { return `${row.map} ${String(row.key[0])}`; }

function setSources(family: IpFamily, port: PortState, wanted: readonly AddressRange[] | undefined, sink: RowSink): void {
  const text = (range: AddressRange): string => `${range.first}-${range.last}`;
  const before = new Set(port.sources?.map(text));
  const after = new Set(wanted?.map(text));
  for (const range of port.sources ?? []) if (!after.has(text(range))) sink.remove(sourceRow(family, port.id, range));
  for (const range of wanted ?? []) if (!before.has(text(range))) sink.add(sourceRow(family, port.id, range));
  port.sources = wanted;
}

export function sourceRow(family: IpFamily, id: number, range: AddressRange): Row {
  return { map: 'source-ok', key: [id, numberAddress(range.first, family)], keyEnd: [id, numberAddress(range.last, family)] };
}
