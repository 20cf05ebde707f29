import { deleteLink, getLink, isNetlinkError, listLinks, openRoute } from '@podwire/netlink';
import type { NetlinkSocket } from '@podwire/netlink';
import { KernelNft, NftError } from 'nftables-js';
import type { Nft } from 'nftables-js';
import { collectBandwidth, unlimitBandwidth } from './bandwidth/limits.ts';
import { checkMasquerade, removeMasquerade } from './egress/masquerade.ts';
import { checkAddresses, collectAddresses, grantAddresses, ipamStatus, releaseAddresses } from './ipam/ipam.ts';
import { parseCidr, parseIp } from './ipam/address.ts';
import type { Ip } from './ipam/address.ts';
import { applyStep } from './kernel/apply.ts';
import type { Kernel, Undo } from './kernel/apply.ts';
import { checkExtras, extraSteps, servesExtras } from './kernel/extras.ts';
import { batched } from './kernel/batch.ts';
import { bridgeFilterProblem } from './kernel/bridge-filter.ts';
import { checkAttachment } from './kernel/check.ts';
import { removeMacGuard } from './kernel/mac-guard.ts';
import { openContainer, openContainerIfThere } from './kernel/netns.ts';
import { deleteLinks, reapLink } from './kernel/reaper.ts';
import { refuseVlan } from './kernel/vlan.ts';
import { removeHostPorts } from './ports/host-ports.ts';
import { planAttachment } from './plan/attachment.ts';
import { aliasAddresses, attachmentTag, hostVethName, isOfNetwork, networkTag, rowComment } from './plan/names.ts';
import type { AttachmentId, AttachmentRequest } from './plan/request.ts';
import type { NetworkConfig } from './protocol/config-types.ts';
import { CniError, cniCode } from './protocol/errors.ts';
import type { CniResult } from './protocol/result.ts';

export interface EngineOptions {
  readonly signal?: AbortSignal;
  /** Says what does not stop the attachment but will be missed. */
  readonly warn?: (text: string) => void;
  /** Called after each thing done, for tests that fail or die right there. */
  readonly afterStep?: (name: string) => void;
}

/**
 * ADD: wires the container into the network. On failure everything that this call did is undone; what the two ends
 * share (bridge, sysctls, rulesets) stays. Throws `CniError`.
 */
export async function attach(config: NetworkConfig, request: AttachmentRequest, options: EngineOptions = {}): Promise<CniResult> {
  refuseVlan(config);
  using pod = openContainer(request.netns);
  using host = openRoute();
  if (getLink(pod, request.ifname) !== undefined) throw new CniError(cniCode.interfaceExists, `CNI_IFNAME: "${request.ifname}" exists in ${request.netns}; DEL it first`);
  using nft = lazyNft();
  const kernel: Kernel = { host, pod, netns: request.netns, nft: nft.get, warn: options.warn ?? (() => undefined), ...(options.signal === undefined ? {} : { signal: options.signal }) };
  const done: Undo[] = [];
  const { afterStep } = options;
  try {
    done.push(() => releaseAddresses(config, request));
    const grant = await grantAddresses(config, request);
    afterStep?.('ipam');
    const plan = planAttachment(config, request, grant);
    for (const step of plan.steps) {
      options.signal?.throwIfAborted();
      const undo = await applyStep(step, kernel);
      if (undo !== undefined) done.push(undo);
      afterStep?.(step.do);
    }
    for (const extra of extraSteps(config, request, plan, kernel)) {
      done.push(await extra.run());
      afterStep?.(extra.name);
    }
    const result = withBridgeMac(plan.result, config, host);
    afterStep?.('done');
    return result;
  } catch (error) {
    throw await undone(asCniError(error, config, request), done.reverse());
  }
}

/** DEL: removes everything of the attachment, by names that follow from it. Nothing there is success. */
export async function detach(config: NetworkConfig, request: AttachmentRequest, options: EngineOptions = {}): Promise<void> {
  const tag = attachmentTag(config.name, request);
  const comment = rowComment(config.name, tag);
  const known = knownAddresses(config, hostVethName(tag));
  await runAll([
    () => reapLink(hostVethName(tag)),
    () => removeForeignEnd(config, request),
    () => reapRows({ config, comment }),
    () => {
      using rt = openRoute();
      if (servesExtras(config)) unlimitBandwidth(rt, config.name, request);
    },
    () => releaseAddresses(config, request, known),
  ], options);
}

/** CHECK: throws `CniError` 105 that says what is missing. What later plugins of a chain may change is not looked at. */
export async function check(config: NetworkConfig, request: AttachmentRequest, options: EngineOptions = {}): Promise<void> {
  options.signal?.throwIfAborted();
  using pod = openContainer(request.netns);
  using host = openRoute();
  checkAttachment(config, request, host, pod);
  await checkRows(config, request, host);
  await checkAddresses(config, request);
}

/** GC: removes links, rows and leases of this network that belong to no valid attachment. Goes on past errors. */
export async function gc(config: NetworkConfig, validAttachments: readonly AttachmentId[], options: EngineOptions = {}): Promise<void> {
  const tags = new Set(validAttachments.map((each) => attachmentTag(config.name, each)));
  const comments = new Set([...tags].map((tag) => rowComment(config.name, tag)));
  await runAll([
    () => {
      using rt = openRoute();
      const valid = new Set([...tags].map(hostVethName));
      const stale = listLinks(rt, { kind: 'veth' }).filter((link) => isOfNetwork(config.name, link) && !valid.has(link.name));
      deleteLinks(stale.map((link) => link.name));
    },
    () => removeRows(servesExtras(config), (each) => each.startsWith(`${networkTag(config.name)}:`) && !comments.has(each)),
    () => {
      using rt = openRoute();
      if (servesExtras(config)) collectBandwidth(rt, config.name, validAttachments);
    },
    () => collectAddresses(config, validAttachments),
  ], options);
}

/** STATUS: throws 50 when no ADD can succeed, 51 when pods would come up with something missing. */
export async function status(config: NetworkConfig, options: EngineOptions = {}): Promise<void> {
  options.signal?.throwIfAborted();
  refuseVlan(config);
  await ipamStatus(config);
  if (config.mode !== 'bridge' || !config.isGateway) return;
  const families = [...new Set((config.ipam?.ranges ?? []).flat().map((range) => (range.subnet.includes(':') ? 6 : 4)))];
  const problem = bridgeFilterProblem(families);
  // The reference bridge promises no Services; only our own type does.
  if (problem !== undefined && config.type !== 'bridge') throw new CniError(cniCode.limitedConnectivity, problem);
}

/** The rows and limits that ADD would make for the addresses of prevResult. */
async function checkRows(config: NetworkConfig, request: AttachmentRequest, host: NetlinkSocket): Promise<void> {
  const { prevResult } = config;
  if (prevResult === undefined) return;
  const ips = prevResult.ips.filter((ip) => ip.interface === undefined || prevResult.interfaces[ip.interface]?.name === request.ifname);
  const plan = planAttachment(config, request, { ips, routes: [], dns: {} });
  using nft = lazyNft();
  for (const step of plan.steps) if (step.do === 'masquerade') await checkMasquerade(nft.get(), step.rows, step.comment);
  if (servesExtras(config)) await checkExtras(config, request, plan, { host, nft: nft.get });
}

/** An interface that another plugin made before we took its place: the result of its ADD says that it belongs to this attachment. */
function removeForeignEnd(config: NetworkConfig, request: AttachmentRequest): void {
  const isListed = config.prevResult?.interfaces.some((each) => each.name === request.ifname && (each.sandbox ?? '') !== '') === true;
  if (!isListed) return;
  using pod = openContainerIfThere(request.netns);
  if (pod !== undefined && getLink(pod, request.ifname) !== undefined) deleteLink(pod, request.ifname);
}

/** The rows of all that leave at once, in one pass over the sets. */
const reapRows = batched<{ readonly config: NetworkConfig; readonly comment: string }>(async (items) => {
  const comments = new Set(items.map(({ comment }) => comment));
  await removeRows(items.some(({ config }) => servesExtras(config)), (each) => comments.has(each));
});

async function removeRows(withPorts: boolean, isMine: (comment: string) => boolean): Promise<void> {
  using nft = KernelNft.open();
  if (withPorts) await removeHostPorts(nft, isMine);
  await removeMasquerade(nft, isMine);
  await removeMacGuard(nft, isMine);
}

function knownAddresses(config: NetworkConfig, hostVeth: string): readonly Ip[] {
  using rt = openRoute();
  const alias = getLink(rt, hostVeth)?.alias ?? '';
  const texts = [...aliasAddresses(alias), ...(config.prevResult?.ips ?? []).map((each) => each.address)];
  return texts.flatMap((text) => {
    const cidr = parseCidr(text);
    return cidr === undefined ? (parseIp(text) ?? []) : { family: cidr.family, value: cidr.address };
  });
}

function withBridgeMac(result: CniResult, config: NetworkConfig, host: NetlinkSocket): CniResult {
  if (config.mode !== 'bridge') return result;
  const bridge = getLink(host, config.bridge);
  const [first, ...rest] = result.interfaces;
  if (bridge?.mac === undefined || first === undefined) return result;
  return { ...result, interfaces: [{ ...first, mac: bridge.mac, mtu: bridge.mtu }, ...rest] };
}

/** Runs all, whatever fails; the first failure is thrown, the others go along in its details. */
async function runAll(parts: readonly (() => void | Promise<void>)[], options: EngineOptions): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) {
    options.signal?.throwIfAborted();
    try {
      await part();
    } catch (error) {
      failures.push(error);
    }
  }
  const [first, ...others] = failures;
  if (failures.length === 0) return;
  const error = asKernelError(first);
  throw new CniError(error.code, error.message, { details: [error.details, ...others.map(String)].filter((each) => each !== '').join('; '), cause: first });
}

async function undone(error: CniError, steps: readonly Undo[]): Promise<CniError> {
  const left: string[] = [];
  for (const undo of steps) {
    try {
      await undo();
    } catch (failure) {
      left.push(String(failure));
    }
  }
  return left.length === 0 ? error : new CniError(error.code, error.message, { details: `${error.details} not undone: ${left.join('; ')}; DEL or GC removes it`.trim(), cause: error.cause });
}

function asCniError(error: unknown, config: NetworkConfig, request: AttachmentRequest): CniError {
  const known = asKernelError(error);
  return new CniError(known.code, `network "${config.name}", container ${request.containerId}, ${request.ifname}: ${known.message}`, { details: known.details, cause: error });
}

function asKernelError(error: unknown): CniError {
  if (error instanceof CniError) return error;
  if (isNetlinkError(error) || error instanceof NftError) return new CniError(cniCode.kernel, error.message, { cause: error });
  if (error instanceof Error) return new CniError(cniCode.internal, error.message, { details: error.stack ?? '', cause: error });
  return new CniError(cniCode.internal, String(error));
}

/** Most attachments need no nftables: the socket is opened when a step asks for it. */
function lazyNft(): Disposable & { readonly get: () => Nft } {
  let nft: KernelNft | undefined;
  return {
    get: () => (nft ??= KernelNft.open()),
    [Symbol.dispose]: () => nft?.close(),
  };
}
