import { addAddress, addLink, deleteAddress, getLink, getSysctl, isNetlinkError, listAddresses, setLink, setSysctl } from '@podwire/netlink';
import type { Link, NetlinkSocket } from '@podwire/netlink';
import { cidrsOverlap, parseCidr } from '../ipam/address.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import type { Step } from '../plan/steps.ts';

/**
 * `ip link add NAME type bridge`, up. Two ADDs may come at once: who loses the race uses the other's bridge.
 * The MAC is set, or the bridge would take that of a port and change it whenever that pod goes.
 */
export function ensureBridge(rt: NetlinkSocket, step: Step & { readonly do: 'bridge' }): void {
  const bridge = getLink(rt, step.name) ?? addBridge(rt, step);
  if (bridge?.kind !== 'bridge') throw new CniError(cniCode.invalidConfig, `bridge: "${step.name}" exists and is not a bridge but ${bridge?.kind ?? 'a plain interface'}; choose another name`);
  // While its link-local address is probed a bridge cannot ask for the pods' MACs; the probe begins when it goes up.
  if (!bridge.isUp && !step.dad) withoutDad(step.name);
  const changes = {
    ...(bridge.isUp ? {} : { up: true }),
    ...(step.mtu === undefined || bridge.mtu === step.mtu ? {} : { mtu: step.mtu }),
    ...(step.promisc && bridge.promiscuity === 0 ? { promisc: true } : {}),
  };
  if (Object.keys(changes).length > 0) setLink(rt, step.name, changes);
}

function addBridge(rt: NetlinkSocket, step: Step & { readonly do: 'bridge' }): Link | undefined {
  try {
    addLink(rt, {
      name: step.name, kind: 'bridge', bridge: {},
      ...(step.mac === undefined ? {} : { mac: step.mac }),
      ...(step.mtu === undefined ? {} : { mtu: step.mtu }),
    });
  } catch (error) {
    if (!isNetlinkError(error, 'EEXIST')) throw error;
  }
  return getLink(rt, step.name);
}

/** A kernel or namespace without IPv6 has no such setting. */
function withoutDad(bridge: string): void {
  const key = `net/ipv6/conf/${bridge}/accept_dad`;
  if (getSysctl(undefined, key) !== undefined) setSysctl(undefined, key, '0');
}

/** `ip addr add ADDRESS dev NAME`. An address of another subnet may stay beside it; one that overlaps is in the way. */
export function ensureBridgeAddress(rt: NetlinkSocket, step: Step & { readonly do: 'bridge-address' }): void {
  const wanted = parseCidr(step.address);
  if (wanted === undefined) throw new CniError(cniCode.invalidConfig, `gateway: "${step.address}" is not an address`);
  const present = listAddresses(rt, { dev: step.name });
  if (present.some((each) => same(each.address, step.address))) return;
  for (const each of present) {
    const other = parseCidr(each.address);
    if (other === undefined || !cidrsOverlap(other, wanted)) continue;
    if (!step.force) {
      throw new CniError(cniCode.invalidConfig, `bridge: "${step.name}" has the address ${each.address}, which overlaps the gateway ${step.address}; remove it, or set forceAddress`);
    }
    ignore('EADDRNOTAVAIL', () => deleteAddress(rt, step.name, each.address));
  }
  if (wanted.family === 6) setSysctl(undefined, `net/ipv6/conf/${step.name}/disable_ipv6`, '0');
  // One that was up already, of another's making: its link-local address may still be to come.
  if (wanted.family === 6 && !step.dad) withoutDad(step.name);
  ignore('EEXIST', () => addAddress(rt, step.name, step.address, { nodad: wanted.family === 6 && !step.dad }));
}

function same(a: string, b: string): boolean {
  const [left, right] = [parseCidr(a), parseCidr(b)];
  return left !== undefined && right !== undefined && left.family === right.family && left.address === right.address && left.prefix === right.prefix;
}

function ignore(code: string, work: () => void): void {
  try {
    work();
  } catch (error) {
    if (!isNetlinkError(error, code)) throw error;
  }
}
