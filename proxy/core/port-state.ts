// One Service port of one family, as the kernel has it.
import { Slots } from './slots.ts';
import { twinOf } from './rows.ts';
import type { AddressRange } from './address.ts';

export interface EndpointState {
  readonly id: number;
  /** `address port` */
  readonly key: string;
  readonly address: string;
  readonly port: number;
  mayBeLocal: boolean;
  /** Its hairpin row counts. */
  hasHairpin: boolean;
}

const NOTHING = { zombies: new Map<string, EndpointState>(), live: new Set<string>(), owners: new Set<number>() } as const;

export class PortState {
  /** namespace/name:port-name/protocol; '' for rows of an earlier proxy that nobody has claimed yet. */
  key: string;
  service: string;
  created: string;
  readonly id: number;
  /** Frontend key -> value of its row, also of those another Service has won. */
  readonly fronts = new Map<string, number>();
  clusterIPs: readonly string[] = [];
  readonly base: Slots;
  twin: Slots | undefined;
  /** Endpoints that packets may be sent to, by `address port`. */
  readonly endpoints = new Map<string, EndpointState>();
  // Empty for nearly all of 30,000 ports nearly always: made when first needed.
  #zombies: Map<string, EndpointState> | undefined;
  #live: Set<string> | undefined;
  #owners: Set<number> | undefined;
  stickySeconds = 0;
  /** Ids with a `sticky` row. */
  stickyIds: number[] = [];
  sources: readonly AddressRange[] | undefined;
  isRemoved = false;

  constructor(id: number, key: string, service: string, created: string) {
    this.id = id;
    this.key = key;
    this.service = service;
    this.created = created;
    this.base = new Slots(id);
  }

  get isAdopted(): boolean { return this.key === ''; }

  /** Gone, but a packet on its way may still look them up. */
  get zombies(): ReadonlyMap<string, EndpointState> { return this.#zombies ?? NOTHING.zombies; }
  addZombie(endpoint: EndpointState): void { (this.#zombies ??= new Map()).set(endpoint.key, endpoint); }
  removeZombie(key: string): void { this.#zombies?.delete(key); }
  forgetZombies(): void { this.#zombies = undefined; }

  /** `live` rows, as `id endpoint`; only with session affinity. */
  get live(): ReadonlySet<string> { return this.#live ?? NOTHING.live; }
  setLive(live: Set<string>): void { this.#live = live.size === 0 ? undefined : live; }
  addLive(key: string): void { (this.#live ??= new Set()).add(key); }

  /** Endpoint ids with an `owner` row. */
  get owners(): ReadonlySet<number> { return this.#owners ?? NOTHING.owners; }
  addOwner(id: number): void { (this.#owners ??= new Set()).add(id); }
  removeOwner(id: number): boolean { return this.#owners?.delete(id) === true; }

  ensureTwin(): Slots { return (this.twin ??= new Slots(twinOf(this.id))); }
}
