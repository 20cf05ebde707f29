import { KernelNft } from 'nftables-js';
import { attachmentTag, networkTag, rowComment } from '../plan/names.ts';
import { addHostPorts, checkHostPorts, removeHostPorts } from '../ports/host-ports.ts';
import { parseRuntimeConfig } from '../protocol/config.ts';
import type { PortMapping } from '../protocol/config-types.ts';
import { CniError, cniCode } from '../protocol/errors.ts';
import { show } from '../protocol/reader.ts';
import { containerAddresses, requirePrevious } from './chained.ts';
import type { Call, Plugin } from './plugin.ts';

const mappings = ({ config }: Call): readonly PortMapping[] => parseRuntimeConfig(config.reader.object('runtimeConfig')).portMappings ?? [];
const commentOf = ({ config, request }: Call): string => rowComment(config.name, attachmentTag(config.name, request));

/** iptables' words, and a chain of somebody else's: they mean nothing in an nftables table of constant rules. */
function refuseForeignKeys({ config: { reader } }: Call): void {
  for (const key of ['conditionsV4', 'conditionsV6', 'externalSetMarkChain']) {
    const value = reader.value(key);
    if (value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)) continue;
    throw new CniError(cniCode.unsupportedField, `${key}: ${show(value)} is for iptables; host ports here are rows of nftables maps. Remove the key`);
  }
  const backend = reader.text('backend');
  if (backend !== undefined && backend !== 'nftables') throw new CniError(cniCode.unsupportedField, `backend: "${backend}" is not served; only nftables`);
}

/** portmap: ports of the host that lead to the container. */
export const portmapPlugin: Plugin = {
  about: 'portmap: maps ports of the host to a container',
  add: async (call) => {
    refuseForeignKeys(call);
    const previous = requirePrevious(call, 'portmap');
    const { reader } = call.config;
    using nft = KernelNft.open();
    await addHostPorts(nft, mappings(call), containerAddresses(previous.result), commentOf(call), {
      snat: reader.boolean('snat', true), masqueradeAll: reader.boolean('masqAll', false),
    });
    return previous.raw;
  },
  del: async (call) => {
    using nft = KernelNft.open();
    const mine = commentOf(call);
    await removeHostPorts(nft, (comment) => comment === mine);
  },
  check: async (call) => {
    const previous = requirePrevious(call, 'portmap');
    using nft = KernelNft.open();
    await checkHostPorts(nft, mappings(call), containerAddresses(previous.result), commentOf(call));
  },
  gc: async ({ config }, valid) => {
    using nft = KernelNft.open();
    const keep = new Set(valid.map((who) => rowComment(config.name, attachmentTag(config.name, who))));
    await removeHostPorts(nft, (comment) => comment.startsWith(`${networkTag(config.name)}:`) && !keep.has(comment));
  },
  status: () => Promise.resolve(),
};
