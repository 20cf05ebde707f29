// A pure model of podwire.nft: what the rules do with the first packet of a connection, and which rows decide it. The packet
// tests hold it against the kernel, case by case.
import { CLASS } from './desired.ts';
import { HASHED, TWIN, classOf, idOf, isTwinId } from './rows.ts';
import type { RulesetOptions } from '../ruleset/render.ts';

/** The rows of one family's table, from the state or from a dump. */
export interface RuleRows {
  readonly family: 'ip' | 'ip6';
  service(address: string, protocol: number, port: number): number | undefined;
  nodePort(protocol: number, port: number): number | undefined;
  count(id: number): number | undefined;
  slot(id: number, index: number): number | undefined;
  endpoint(id: number): { readonly address: string; readonly port: number } | undefined;
  sticky(id: number): number | undefined;
  isLive(id: number, endpoint: number): boolean;
  affinity(servicePort: number, client: string): number | undefined;
  isSourceOk(id: number, client: string): boolean;
  isServiceIp(address: string): boolean;
  inSet(set: 'svc-net' | 'pod-net' | 'node-ip', address: string): boolean;
  isHairpin(address: string): boolean;
}

export interface Packet {
  readonly source: string;
  readonly destination: string;
  /** IP protocol number. */
  readonly protocol: number;
  readonly port: number;
  /** Interface it comes in by; undefined: the node itself sends it. */
  readonly iif?: string;
}

export interface NodeView {
  /** `fib daddr type local`: any address of the node. */
  isLocal(address: string): boolean;
  readonly ruleset: RulesetOptions;
  /** Names the Service port of an id, for people. */
  nameOf?(id: number): string | undefined;
}

export interface Step { readonly chain: string; readonly rule: string; readonly why: string }

export interface Choice { readonly id: number; readonly address: string; readonly port: number; /** 0..1 */ readonly share: number; readonly isMasqueraded: boolean }

export type Outcome =
  | { readonly kind: 'endpoints'; readonly choices: readonly Choice[] }
  | { readonly kind: 'reject'; readonly with: 'tcp reset' | 'icmp port unreachable' }
  | { readonly kind: 'drop' }
  /** No Service: it goes where the routes say. */
  | { readonly kind: 'untouched' };

export interface Explanation { readonly outcome: Outcome; readonly steps: readonly Step[]; readonly servicePort?: number }

const TCP = 6;
const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;

export function explain(packet: Packet, rows: RuleRows, node: NodeView): Explanation {
  const walk = new Walk(packet, rows, node);
  const outcome = walk.services();
  return { outcome, steps: walk.steps, ...(walk.servicePort === undefined ? {} : { servicePort: walk.servicePort }) };
}

class Walk {
  readonly steps: Step[] = [];
  servicePort: number | undefined;
  readonly #packet: Packet;
  readonly #rows: RuleRows;
  readonly #node: NodeView;
  /** ct mark */
  #id = 0;
  #candidates: readonly { id: number; share: number }[] = [];

  constructor(packet: Packet, rows: RuleRows, node: NodeView) {
    this.#packet = packet;
    this.#rows = rows;
    this.#node = node;
  }

  services(): Outcome {
    const { destination, protocol, port, iif } = this.#packet;
    const hook = iif === undefined ? 'output' : 'prerouting';
    this.#say(hook, 'jump services', iif === undefined ? 'the node itself sends it' : `it comes in by ${iif}`);
    const value = this.#rows.service(destination, protocol, port);
    if (value !== undefined) return this.#policy(`service row ${destination} . ${protocol} . ${port}`, value);
    if (this.#rows.inSet('node-ip', destination) && this.#node.isLocal(destination) && !isLoopback(destination)) {
      const nodePort = this.#rows.nodePort(protocol, port);
      if (nodePort !== undefined) return this.#policy(`node-port row ${protocol} . ${port}, and ${destination} is an address of this node that answers node ports`, nodePort);
    }
    if (this.#rows.isServiceIp(destination)) {
      this.#say('services', 'daddr @svc-ip goto no-endpoints', `${destination} is a cluster IP, but no Service has port ${port} on it`);
      return this.#reject();
    }
    if (this.#rows.inSet('svc-net', destination)) {
      this.#say('services', 'daddr @svc-net drop', `${destination} lies in the Service CIDR and no Service has it`);
      return { kind: 'drop' };
    }
    this.#say('services', '(end)', 'no row has this address and port: not a Service');
    return { kind: 'untouched' };
  }

  #policy(row: string, value: number): Outcome {
    this.#id = idOf(value);
    this.servicePort = isTwinId(this.#id) ? this.#id - TWIN : this.#id;
    const name = this.#node.nameOf?.(this.servicePort);
    const chain = CHAINS[classOf(value)] ?? 'unknown';
    this.#say('services', `ct mark set ${hex(this.#id)}, goto ${chain}`, `${row} is ${hex(value)}${name === undefined ? '' : `: ${name}`}`);
    switch (classOf(value)) {
      case CLASS.clusterIP: return this.#clusterIP();
      case CLASS.externalCluster: return this.#externalCluster();
      case CLASS.externalLocal: return this.#externalLocal();
      case CLASS.noEndpoints: return this.#noEndpoints();
      case CLASS.guardCluster: return this.#guard('guard-cluster', () => this.#externalCluster());
      case CLASS.guardLocal: return this.#guard('guard-local', () => this.#externalLocal());
      case CLASS.guardNone: return this.#guard('guard-none', () => this.#noEndpoints());
      default: return this.#toEndpoint(false);
    }
  }

  #clusterIP(): Outcome {
    this.#pick();
    const { podSource, masqueradeAll } = this.#node.ruleset;
    if (masqueradeAll) {
      this.#say('cluster-ip', 'meta mark set masquerade', 'masqueradeAll is on');
      return this.#toEndpoint(true);
    }
    if (podSource.kind === 'none') return this.#toEndpoint(false);
    const isPod = this.#isPod();
    this.#say('cluster-ip', isPod ? 'from a pod: goto to-endpoint' : 'meta mark set masquerade', isPod ? `${this.#packet.source} is in the pod network: it keeps its address` : `${this.#packet.source} is not in the pod network: the answer must come back this way`);
    return this.#toEndpoint(!isPod);
  }

  #externalCluster(): Outcome {
    this.#pick();
    this.#say('external-cluster', 'meta mark set masquerade', 'policy Cluster: the endpoint may be elsewhere, the answer must come back this way');
    return this.#toEndpoint(true);
  }

  #externalLocal(): Outcome {
    if (this.#node.ruleset.podSource.kind !== 'none' && this.#isPod()) {
      this.#say('external-local', 'from a pod: goto cluster-ip', 'inside the cluster the policy Local does not bind');
      return this.#clusterIP();
    }
    if (this.#node.isLocal(this.#packet.source)) {
      this.#say('external-local', 'fib saddr type local goto external-cluster', 'the node itself may use all endpoints');
      return this.#externalCluster();
    }
    this.#id += isTwinId(this.#id) ? 0 : TWIN;
    this.#say('external-local', `ct mark set ${hex(this.#id)}`, 'from outside with policy Local: only endpoints on this node, source kept');
    this.#pick();
    return this.#toEndpoint(false);
  }

  #guard(chain: string, next: () => Outcome): Outcome {
    const { source } = this.#packet;
    if (this.#rows.isSourceOk(this.#id, source)) {
      this.#say(chain, 'ct mark . saddr @source-ok', `${source} is in loadBalancerSourceRanges`);
      return next();
    }
    this.#say(chain, 'drop', `${source} is in none of loadBalancerSourceRanges`);
    return { kind: 'drop' };
  }

  #noEndpoints(): Outcome {
    this.#say('no-endpoints', 'reject', 'the Service has no endpoint at all');
    return this.#reject();
  }

  #pick(): void {
    const seconds = this.#rows.sticky(this.#id);
    const base = isTwinId(this.#id) ? this.#id - TWIN : this.#id;
    if (seconds !== undefined) {
      const kept = this.#rows.affinity(base, this.#packet.source);
      if (kept !== undefined && this.#rows.isLive(this.#id, kept)) {
        this.#say(`keep-${seconds}`, 'affinity row of this client', `${this.#packet.source} stays with endpoint ${hex(kept)}`);
        this.#candidates = [{ id: kept, share: 1 }];
        return;
      }
      this.#say(`keep-${seconds}`, 'no live affinity row', 'a new endpoint is chosen and remembered');
    }
    const count = this.#rows.count(this.#id);
    if (count === undefined) {
      this.#say('pick-any', 'no count row', `service port ${hex(this.#id)} has no endpoint${isTwinId(this.#id) ? ' on this node' : ''}`);
      return;
    }
    const slots = count >= HASHED ? count - HASHED : count;
    const shares = new Map<number, number>();
    for (let index = 0; index < slots; index++) {
      const endpoint = this.#rows.slot(this.#id, index);
      if (endpoint !== undefined) shares.set(endpoint, (shares.get(endpoint) ?? 0) + 1 / slots);
    }
    this.#say('pick-any', count >= HASHED ? `jump hash-${slots}` : `jump lb-${slots}`, count >= HASHED ? `one of ${slots} slots by hash of source address and port` : `one of ${slots} slots by chance`);
    this.#candidates = [...shares].map(([id, share]) => ({ id, share }));
  }

  #toEndpoint(isMasqueraded: boolean): Outcome {
    const choices = this.#candidates.flatMap(({ id, share }): Choice[] => {
      const endpoint = this.#rows.endpoint(id);
      if (endpoint === undefined) return [];
      const isHairpin = endpoint.address === this.#packet.source && this.#rows.isHairpin(endpoint.address);
      return [{ id, ...endpoint, share, isMasqueraded: isMasqueraded || isHairpin }];
    });
    if (choices.length === 0) {
      this.#say('to-endpoint', 'drop', 'no endpoint for this policy');
      return { kind: 'drop' };
    }
    this.#say('to-endpoint', 'dnat to ct mark map @endpoint', choices.map(({ address, port }) => `${address.includes(':') ? `[${address}]` : address}:${port}`).join(', '));
    if (isMasqueraded) this.#say('postrouting', 'masquerade', 'the mark asks for it');
    else if (choices.some((choice) => choice.isMasqueraded)) this.#say('postrouting', 'saddr . daddr @hairpin masquerade', 'when it comes back to its sender');
    return { kind: 'endpoints', choices };
  }

  #isPod(): boolean {
    const { podSource } = this.#node.ruleset;
    if (podSource.kind === 'cidrs') return this.#rows.inSet('pod-net', this.#packet.source);
    if (podSource.kind === 'none') return false;
    const { iif = '' } = this.#packet;
    return podSource.pattern.endsWith('*') ? iif.startsWith(podSource.pattern.slice(0, -1)) : iif === podSource.pattern;
  }

  #reject(): Outcome {
    return { kind: 'reject', with: this.#packet.protocol === TCP ? 'tcp reset' : 'icmp port unreachable' };
  }

  #say(chain: string, rule: string, why: string): void { this.steps.push({ chain, rule, why }); }
}

const CHAINS: Readonly<Record<number, string>> = {
  1: 'cluster-ip', 2: 'external-cluster', 3: 'external-local', 4: 'no-endpoints', 5: 'guard-cluster', 6: 'guard-local', 7: 'guard-none',
};

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.');
}
