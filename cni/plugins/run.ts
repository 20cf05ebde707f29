import type { AttachmentRequest } from '../plan/request.ts';
import { parseCommon, parseValidAttachments } from '../protocol/config.ts';
import { parseEnvironment } from '../protocol/environment.ts';
import type { Invocation } from '../protocol/environment.ts';
import { CniError, cniCode, toCniError } from '../protocol/errors.ts';
import { defined, isJson } from '../protocol/reader.ts';
import { atLeast, latestVersion, supportedVersions } from '../protocol/versions.ts';
import { bandwidthPlugin } from './bandwidth.ts';
import { hostLocalPlugin } from './host-local.ts';
import { loopbackPlugin } from './loopback.ts';
import { networkPlugin } from './network.ts';
import type { Call, Plugin } from './plugin.ts';
import { portmapPlugin } from './portmap.ts';

/** The executables, by name. */
export const plugins: Readonly<Record<string, Plugin>> = {
  podwire: networkPlugin,
  bridge: networkPlugin,
  ptp: networkPlugin,
  'host-local': hostLocalPlugin,
  portmap: portmapPlugin,
  bandwidth: bandwidthPlugin,
  loopback: loopbackPlugin,
};

export interface Outcome {
  readonly exitCode: number;
  /** JSON, or the about line. */
  readonly stdout: string;
  readonly stderr: string;
}

/** One call of an executable, from its environment and standard input to its output. Never throws: every failure is CNI's JSON. */
export async function runPlugin(name: string, env: Readonly<Record<string, string | undefined>>, readInput: () => string): Promise<Outcome> {
  const warnings: string[] = [];
  let version: string = latestVersion;
  try {
    const plugin = plugins[name] ?? networkPlugin;
    const invocation = parseEnvironment(env);
    if (invocation === undefined) {
      return { exitCode: 0, stdout: '', stderr: `CNI plugin ${plugin.about}; CNI versions ${supportedVersions.join(', ')}\n` };
    }
    const input = decode(readInput(), invocation);
    version = versionOf(input);
    if (invocation.verb === 'VERSION') return { exitCode: 0, stdout: json({ cniVersion: version, supportedVersions }), stderr: '' };
    const answer = await serve(name, plugin, invocation, input, (text) => warnings.push(text));
    return { exitCode: 0, stdout: answer === undefined ? '' : json(answer), stderr: warnings.map((text) => `${name}: ${text}\n`).join('') };
  } catch (error) {
    return failure(error, version);
  }
}

/** The JSON that stands for an error. */
export function failure(error: unknown, version: string = latestVersion): Outcome {
  const { code, message, details } = toCniError(error);
  return { exitCode: 1, stdout: json({ cniVersion: version, code, msg: message, ...(details === '' ? {} : { details }) }), stderr: '' };
}

async function serve(name: string, plugin: Plugin, invocation: Invocation, input: unknown, warn: (text: string) => void): Promise<object | undefined> {
  const { verb, containerId, netns, ifname, args } = invocation;
  // A name of a reference plugin decides over `type`: the file may have been renamed or linked.
  const isNamed = isJson(input) && (name === 'bridge' || name === 'ptp');
  const config = parseCommon(isNamed ? { ...input, type: name } : input);
  const needs = verb === 'CHECK' ? '0.4.0' : verb === 'GC' || verb === 'STATUS' ? '1.1.0' : undefined;
  if (needs !== undefined && !atLeast(config.cniVersion, needs)) throw new CniError(cniCode.incompatibleVersion, `cniVersion: "${config.cniVersion}" has no ${verb}, which came with ${needs}`);
  const pod = podOf(args);
  const request: AttachmentRequest = defined<AttachmentRequest>({ containerId, netns, ifname, args, podIdentity: pod });
  const call: Call = { invocation, config, request, warn };
  switch (verb) {
    case 'ADD': return plugin.add(call);
    case 'DEL': await plugin.del(call); break;
    case 'CHECK': await plugin.check(call); break;
    case 'GC': await plugin.gc(call, parseValidAttachments(config.reader)); break;
    case 'STATUS': await plugin.status(call); break;
    case 'VERSION': break;
  }
  return undefined;
}

function podOf(args: Readonly<Record<string, string>>): AttachmentRequest['podIdentity'] {
  const { K8S_POD_NAMESPACE: namespace, K8S_POD_NAME: name } = args;
  return namespace === undefined || name === undefined ? undefined : { namespace, name };
}

function decode(text: string, { verb }: Invocation): unknown {
  if (verb === 'VERSION' && text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CniError(cniCode.decode, `standard input is not JSON: ${error instanceof Error ? error.message : String(error)}`, { details: text.slice(0, 200), cause: error });
  }
}

function versionOf(input: unknown): string {
  const version = isJson(input) ? input['cniVersion'] : undefined;
  return typeof version === 'string' && (supportedVersions as readonly string[]).includes(version) ? version : latestVersion;
}

const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
