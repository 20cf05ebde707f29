import { setLink, addAddress, addLink, addRoute, deleteLink, isNetlinkError, replaceRoute, setBridgePort, setSysctl } from '@podwire/netlink';
import type { NetlinkSocket, RouteSpec } from '@podwire/netlink';
import type { Nft } from 'nftables-js';
import { addMasquerade, removeMasquerade } from '../egress/masquerade.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { defined } from '../protocol/reader.ts';
import type { PlannedRoute, Step } from '../plan/steps.ts';
import { ensureBridge, ensureBridgeAddress } from './bridge.ts';
import { ensureBridgeFilter } from './bridge-filter.ts';
import { addMacGuard, removeMacGuard } from './mac-guard.ts';
import { settleAddresses } from './settle.ts';

/** What the steps act on. The sockets stay in their namespaces, so nothing here switches any. */
export interface Kernel {
  readonly host: NetlinkSocket;
  readonly pod: NetlinkSocket;
  readonly netns: string;
  readonly nft: () => Nft;
  readonly warn: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Takes back what a step did; resolves also when it is gone already. */
export type Undo = () => void | Promise<void>;

/** Carries out one step; returns its undo when deleting the host veth does not cover it. */
export async function applyStep(step: Step, kernel: Kernel): Promise<Undo | undefined> {
  const { host } = kernel;
  switch (step.do) {
    case 'host-sysctl':
      setSysctl(undefined, step.key, step.value);
      return undefined;
    case 'bridge-filter':
      ensureBridgeFilter(step.families, kernel.warn);
      return undefined;
    case 'bridge':
      ensureBridge(host, step);
      return undefined;
    case 'bridge-address':
      ensureBridgeAddress(host, step);
      return undefined;
    case 'veth':
      addVeth(step, kernel);
      return () => deleteIfThere(host, step.host);
    case 'bridge-port':
      setBridgePort(host, step.name, { hairpin: step.hairpin, isolated: step.isolated });
      return undefined;
    case 'up':
      setLink(socketOf(step.where, kernel), step.name, { up: true });
      return undefined;
    case 'pod-sysctl':
      setSysctl(kernel.netns, step.key, step.value);
      return undefined;
    case 'address':
      addAddress(socketOf(step.where, kernel), step.name, step.address, { nodad: step.nodad, noprefixroute: step.noPrefixRoute });
      return undefined;
    case 'route':
      addPodRoute(socketOf(step.where, kernel), step.name, step.route, step.where);
      return undefined;
    case 'settle':
      await settleAddresses(socketOf(step.where, kernel), step.name, kernel.signal);
      return undefined;
    case 'masquerade':
      await addMasquerade(kernel.nft(), step.rows, step.comment, kernel.signal);
      return () => removeMasquerade(kernel.nft(), (comment) => comment === step.comment);
    case 'mac-guard':
      await addMacGuard(kernel.nft(), step, kernel.signal);
      return () => removeMacGuard(kernel.nft(), (comment) => comment === step.comment);
  }
}

const socketOf = (where: 'host' | 'pod', kernel: Kernel): NetlinkSocket => (where === 'host' ? kernel.host : kernel.pod);

function addVeth(step: Step & { readonly do: 'veth' }, { host, netns }: Kernel): void {
  const make = () => addLink(host, {
    // A port of a bridge needs no IPv6 address of its own.
    name: step.host, kind: 'veth', mac: step.hostMac, ...mtuOf(step), ...(step.master === undefined ? {} : { master: step.master, addrGenMode: 1 }),
    peer: { name: step.name, netns, ...mtuOf(step), ...(step.mac === undefined ? {} : { mac: step.mac }) },
  });
  try {
    make();
  } catch (error) {
    if (!isNetlinkError(error, 'EEXIST')) throw error;
    // The name follows from the attachment: a host end without its other end in the container is what a killed ADD left.
    deleteIfThere(host, step.host);
    make();
  }
  setLink(host, step.host, { alias: step.alias });
}

const mtuOf = (step: { readonly mtu?: number }): { readonly mtu?: number } => (step.mtu === undefined ? {} : { mtu: step.mtu });

function deleteIfThere(rt: NetlinkSocket, name: string): void {
  try {
    deleteLink(rt, name);
  } catch (error) {
    if (!isNetlinkError(error, 'ENODEV')) throw error;
  }
}

function addPodRoute(rt: NetlinkSocket, dev: string, route: PlannedRoute, where: 'host' | 'pod'): void {
  const spec = defined<RouteSpec>({
    to: route.dst, dev, via: route.gw, src: route.src, scope: route.scope, mtu: route.mtu, advmss: route.advmss, priority: route.priority, table: route.table,
  });
  try {
    // On the host an earlier pod's route to this address may be left behind; inside, a second route is a mistake in the configuration.
    if (where === 'host') replaceRoute(rt, spec);
    else addRoute(rt, spec);
  } catch (error) {
    if (isNetlinkError(error, 'ENETUNREACH') && route.gw !== undefined) {
      throw new CniError(cniCode.invalidConfig, `routes: ${route.dst} via ${route.gw}: the gateway is not reachable from the pod's subnet`, { cause: error });
    }
    throw error;
  }
}
