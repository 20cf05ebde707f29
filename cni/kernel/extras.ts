import { checkBandwidth, limitBandwidth, unlimitBandwidth } from '../bandwidth/limits.ts';
import type { AttachmentPlan } from '../plan/attachment.ts';
import type { AttachmentRequest } from '../plan/request.ts';
import { addHostPorts, checkHostPorts, removeHostPorts } from '../ports/host-ports.ts';
import type { NetworkConfig } from '../protocol/config-types.ts';
import type { Kernel, Undo } from './apply.ts';

/** Under its own name the main plugin serves these capabilities itself; in the place of bridge or ptp their own plugins do. */
export const servesExtras = (config: NetworkConfig): boolean => config.type === 'podwire';

/** Host ports and bandwidth of the runtime's capabilities; each with its undo. */
export function extraSteps(config: NetworkConfig, request: AttachmentRequest, plan: AttachmentPlan, kernel: Kernel): readonly { readonly name: string; readonly run: () => Promise<Undo> }[] {
  const { portMappings, bandwidth } = config.runtimeConfig;
  if (!servesExtras(config)) return [];
  const { comment } = plan;
  return [
    ...(portMappings === undefined || portMappings.length === 0 ? [] : [{
      name: 'host-ports',
      run: async (): Promise<Undo> => {
        await addHostPorts(kernel.nft(), portMappings, plan.result.ips.map((ip) => ip.address), comment, { snat: true, ...(kernel.signal === undefined ? {} : { signal: kernel.signal }) });
        return async () => { await removeHostPorts(kernel.nft(), (each) => each === comment); };
      },
    }]),
    ...(bandwidth === undefined ? [] : [{
      name: 'bandwidth',
      run: (): Promise<Undo> => {
        limitBandwidth(kernel.host, plan.hostVeth, bandwidth, config.name, request);
        return Promise.resolve(() => unlimitBandwidth(kernel.host, config.name, request));
      },
    }]),
  ];
}

/** Throws 105 when a host port or limit of the capabilities is not there. */
export async function checkExtras(config: NetworkConfig, request: AttachmentRequest, plan: AttachmentPlan, kernel: Pick<Kernel, 'host' | 'nft'>): Promise<void> {
  const { portMappings, bandwidth } = config.runtimeConfig;
  if (portMappings !== undefined && portMappings.length > 0) await checkHostPorts(kernel.nft(), portMappings, plan.result.ips.map((ip) => ip.address), plan.comment);
  if (bandwidth !== undefined) checkBandwidth(kernel.host, plan.hostVeth, bandwidth, config.name, request);
}
