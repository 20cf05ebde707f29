import { isFdbMessage, parseAddress, parseFdb, parseLink, parseNeighbour, parseRoute } from '@podwire/netlink';
import type { NetlinkMessage } from '@podwire/netlink';
import { ROUTE_PROTOCOL } from './kernel.ts';

/**
 * Whether a kernel event may concern what the overlay keeps. Pods come and go on a node all the time; their links and addresses do not.
 * A link's deletion counts by its index, so the set must be the one from before.
 */
export function concerns(message: NetlinkMessage, devices: ReadonlySet<number>): boolean {
  switch (message.type) {
    case 16: case 17: return devices.has(parseLink(message).index);
    case 20: case 21: return devices.has(parseAddress(message).index);
    case 24: case 25: {
      const route = parseRoute(message);
      return route.type === 'unicast' && (route.protocol === ROUTE_PROTOCOL || devices.has(route.dev ?? 0));
    }
    case 28: case 29: {
      const entry = isFdbMessage(message) ? parseFdb(message) : parseNeighbour(message);
      // The underlay's own ARP entries change by themselves; only permanent ones are ours.
      return devices.has(entry.index) && (entry.isPermanent || message.type === 29);
    }
    default: return false;
  }
}
