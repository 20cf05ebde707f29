// Connections per endpoint, in Prometheus' text. 30,000 Services with ten endpoints are 300,000 lines of it: each scrape looks their
// counters up by id and makes its lines in slices, so that changes of Services do not wait for it.
import { TimeSlices } from '@podwire/netlink';
import type { Nft } from 'nftables-js';
import type { EndpointState, PortState } from '../core/port-state.ts';
import { PROTOCOL_NAMES } from '../core/service-info.ts';
import type { TableState } from '../core/table-state.ts';
import type { TableSchema } from '../ruleset/schema.ts';

const NAME = 'podwire_proxy_endpoint_connections_total';
const HELP = 'Connections that the kernel has sent to an endpoint (counter of its row; starts anew with the row)';
/** About a millisecond of look-ups: they do not pause. */
const ENDPOINTS_PER_LOOKUP = 200;

interface CountedTable { readonly schema: TableSchema; readonly state: TableState }
interface Counted { readonly port: PortState; readonly endpoint: EndpointState }

/** Ends with a line end. Throws what the kernel refuses: a table that is not there. */
export async function endpointConnectionsText(nft: Nft, tables: readonly CountedTable[]): Promise<string> {
  const parts = [`# HELP ${NAME} ${HELP}\n# TYPE ${NAME} counter\n`];
  const slices = new TimeSlices();
  for (const { schema, state } of tables) {
    for (const some of inGroups(endpointsOf(state), ENDPOINTS_PER_LOOKUP)) {
      const connections = new Map<number, bigint>();
      for (const { key, counter } of await nft.elements(schema.rows.endpoint, { keys: some.map(({ endpoint }) => endpoint.id) })) connections.set(Number(key[0]), counter?.packets ?? 0n);
      parts.push(some.map((one) => line(one, state.family, connections.get(one.endpoint.id) ?? 0n)).join(''));
      if (slices.isOver) await slices.next();
    }
  }
  return parts.join('');
}

function* endpointsOf(state: TableState): Generator<Counted> {
  for (const port of state.ports()) {
    if (!port.isRemoved) for (const endpoint of port.endpoints.values()) yield { port, endpoint };
  }
}

function* inGroups<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let group: T[] = [];
  for (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

function line({ port, endpoint }: Counted, family: TableState['family'], connections: bigint): string {
  const labels = endpointLabels(port.service, port.key, endpoint.address, endpoint.port, family);
  return `${NAME}{${Object.entries(labels).map(([label, value]) => `${label}="${escaped(value)}"`).join(',')}} ${connections}\n`;
}

export type EndpointLabels = Readonly<Record<'namespace' | 'service' | 'port' | 'protocol' | 'endpoint' | 'ip_family', string>>;

/** `portKey`: NAMESPACE/SERVICE:PORT/PROTOCOL NUMBER, as the state has it. */
export function endpointLabels(service: string, portKey: string, address: string, port: number, family: 'ip' | 'ip6'): EndpointLabels {
  const [namespace = '', name = ''] = service.split('/');
  const [portName = '', protocol = ''] = portKey.slice(service.length + 1).split('/');
  return { namespace, service: name, port: portName, protocol: PROTOCOL_NAMES[Number(protocol)] ?? protocol, endpoint: address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`, ip_family: familyLabel(family) };
}

/** A label's value as the text format wants it. */
function escaped(value: string): string { return value.replaceAll(/[\\"\n]/g, (character) => (character === '\n' ? String.raw`\n` : `\\${character}`)); }

/** As kube-proxy labels families. */
export function familyLabel(family: 'ip' | 'ip6'): string { return family === 'ip' ? 'IPv4' : 'IPv6'; }
