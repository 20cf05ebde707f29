import { CniError, cniCode } from '../protocol/errors.ts';
import type { CniResult } from '../protocol/result.ts';
import { parseResult } from '../protocol/versions.ts';
import type { Call } from './plugin.ts';

/** The result of the plugins before us in the chain, parsed and as it came. */
export interface Previous {
  readonly result: CniResult;
  readonly raw: object;
}

export function previousOf({ config }: Call): Previous | undefined {
  const raw = config.reader.object('prevResult')?.raw;
  if (raw === undefined) return undefined;
  return { result: parseResult(raw, 'prevResult'), raw: { ...raw, cniVersion: config.cniVersion } };
}

export function requirePrevious(call: Call, plugin: string): Previous {
  const previous = previousOf(call);
  if (previous === undefined) throw new CniError(cniCode.invalidConfig, `prevResult: missing; ${plugin} must come after a plugin that makes the interface`);
  return previous;
}

/** The addresses that the chain gave to the container, with prefix length. */
export function containerAddresses(result: CniResult): readonly string[] {
  const inside = result.ips.filter((ip) => ip.interface === undefined || (result.interfaces[ip.interface]?.sandbox ?? '') !== '' || result.interfaces.length === 0);
  return inside.map((ip) => ip.address);
}
