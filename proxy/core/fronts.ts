// Who has an address. Two Services may ask for the same one (external IPs, a hostile object): the older gets it, and when
// it goes the next does. The outcome depends on what exists, never on the order in which it came.
import { frontValue } from './rows.ts';
import type { Row, RowSink } from './rows.ts';
import type { PortState } from './port-state.ts';
import type { Front } from './desired.ts';

export interface Conflict { readonly front: string; readonly winner: string; readonly loser: string }

/** `10.96.0.1 6 80`; node ports begin with a space: their address is empty. */
export function frontKey(front: Pick<Front, 'address' | 'protocol' | 'port'>): string {
  return `${front.address} ${front.protocol} ${front.port}`;
}

export function parseFrontKey(key: string): { address: string; protocol: number; port: number } {
  const [address = '', protocol, port] = key.split(' ');
  return { address, protocol: Number(protocol), port: Number(port) };
}

export class Fronts {
  /** The winner; or, when several claim it, all of them, winner first. */
  readonly #claims = new Map<string, PortState | PortState[]>();
  readonly #onConflict: (conflict: Conflict) => void;

  constructor(onConflict: (conflict: Conflict) => void) { this.#onConflict = onConflict; }

  owner(key: string): PortState | undefined {
    const claim = this.#claims.get(key);
    return Array.isArray(claim) ? claim[0] : claim;
  }

  /** Whose rows the kernel has, for the audit and for `show`. */
  *rows(): Generator<Row> {
    for (const key of this.#claims.keys()) {
      const owner = this.owner(key);
      if (owner !== undefined) yield row(key, owner);
    }
  }

  set(port: PortState, wanted: readonly Front[], sink: RowSink): void {
    const next = new Map(wanted.map((front) => [frontKey(front), frontValue(port.id, front.class, front.isTwin)]));
    for (const key of port.fronts.keys()) if (!next.has(key)) this.#release(key, port, sink);
    for (const [key, value] of next) {
      const before = port.fronts.get(key);
      if (before === undefined) this.#claim(key, port, value, sink);
      else if (before !== value) {
        const isOwner = this.owner(key) === port;
        if (isOwner) sink.remove(row(key, port));
        port.fronts.set(key, value);
        if (isOwner) sink.add(row(key, port));
      }
    }
  }

  /** The port has another name or age than when it claimed: contested frontends may go to another. */
  reorder(port: PortState, sink: RowSink): void {
    for (const key of port.fronts.keys()) {
      const claim = this.#claims.get(key);
      if (!Array.isArray(claim)) continue;
      const [before] = claim;
      const [winner] = claim.sort(precedence);
      if (before === undefined || winner === undefined || winner === before) continue;
      sink.remove(row(key, before));
      sink.add(row(key, winner));
    }
  }

  /** Takes over what the kernel holds, without an operation. */
  adopt(key: string, port: PortState, value: number): void {
    port.fronts.set(key, value);
    this.#claims.set(key, port);
  }

  #claim(key: string, port: PortState, value: number, sink: RowSink): void {
    const claim = this.#claims.get(key);
    port.fronts.set(key, value);
    if (claim === undefined) {
      this.#claims.set(key, port);
      sink.add(row(key, port));
      return;
    }
    const before = this.owner(key);
    const claimants = [...(Array.isArray(claim) ? claim : [claim]), port].sort(precedence);
    this.#claims.set(key, claimants);
    const [winner] = claimants;
    if (before === undefined || winner === undefined) return;
    if (winner === port) {
      sink.remove(row(key, before));
      sink.add(row(key, port));
    }
    const loser = winner === port ? before : port;
    if (!loser.isAdopted) this.#onConflict({ front: key, winner: winner.key, loser: loser.key });
  }

  #release(key: string, port: PortState, sink: RowSink): void {
    const claim = this.#claims.get(key);
    const wasOwner = this.owner(key) === port;
    if (wasOwner) sink.remove(row(key, port));
    port.fronts.delete(key);
    const rest = (Array.isArray(claim) ? claim : []).filter((other) => other !== port);
    const [next] = rest;
    if (next === undefined) this.#claims.delete(key);
    else {
      this.#claims.set(key, rest.length === 1 ? next : rest);
      if (wasOwner) sink.add(row(key, next));
    }
  }
}

function row(key: string, port: PortState): Row {
  const { address, protocol, port: number } = parseFrontKey(key);
  const data = [port.fronts.get(key) ?? 0];
  return address === '' ? { map: 'node-port', key: [protocol, number], data } : { map: 'service', key: [address, protocol, number], data };
}

/** Older first; what an earlier proxy left and nobody has claimed yet, last. */
function precedence(a: PortState, b: PortState): number {
  if (a.isAdopted !== b.isAdopted) return a.isAdopted ? 1 : -1;
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
