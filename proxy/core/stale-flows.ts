// Which UDP flows must be forgotten. A UDP flow has no end: conntrack goes on sending it where it once went, for as long as the
// client talks. TCP ends by itself: the endpoint, or what has its address now, answers with a reset.
import { frontKey } from './fronts.ts';
import type { PortState } from './port-state.ts';
import { CLASS } from './desired.ts';
import { classOf, isTwinId } from './rows.ts';
import type { TableState } from './table-state.ts';

const UDP = 17;

export interface Flow {
  readonly protocol: number;
  /** Where the client sends. */
  readonly destination: string;
  readonly destinationPort: number;
  /** Who answers: the source of replies. */
  readonly answerer: string;
  readonly answererPort: number;
}

/** What changed since the last look: frontends that are gone, and endpoints that are gone, as `address protocol port`. */
export interface Changes {
  readonly removedFronts: ReadonlySet<string>;
  readonly removedEndpoints: ReadonlySet<string>;
}

/** True: delete it, the next packet chooses anew (or is refused). `isNodeIP`: node ports are answered there. */
export function isStale(flow: Flow, state: TableState, changes: Changes, isNodeIP: (address: string) => boolean): boolean {
  if (flow.protocol !== UDP) return false;
  const { destination, destinationPort: port, protocol } = flow;
  const wasRewritten = flow.answerer !== destination || flow.answererPort !== port;
  const keys = [frontKey({ address: destination, protocol, port }), ...(isNodeIP(destination) ? [frontKey({ address: '', protocol, port })] : [])];
  for (const key of keys) {
    const owner = state.fronts.owner(key);
    if (owner !== undefined) return !serves(owner, owner.fronts.get(key) ?? 0, flow, state);
  }
  if (!wasRewritten) return false;
  return keys.some((key) => changes.removedFronts.has(key)) || changes.removedEndpoints.has(`${flow.answerer} ${protocol} ${flow.answererPort}`);
}

function serves(port: PortState, value: number, flow: Flow, state: TableState): boolean {
  const className = classOf(value);
  if (className === CLASS.noEndpoints || className === CLASS.guardNone) return false;
  const endpoint = port.endpoints.get(`${flow.answerer} ${flow.answererPort}`);
  if (endpoint === undefined) return false;
  if (!isTwinId(value)) return true;
  return port.twin !== undefined && port.twin.slots.slice(0, port.twin.used).some((id) => state.endpointById(id) === endpoint);
}
