import { CniError, cniCode } from './errors.ts';
import { isContainerId, isInterfaceName } from './config.ts';

export const verbs = ['ADD', 'DEL', 'CHECK', 'GC', 'STATUS', 'VERSION'] as const;
export type Verb = (typeof verbs)[number];

export interface Invocation {
  readonly verb: Verb;
  readonly containerId: string;
  readonly netns: string;
  readonly ifname: string;
  readonly args: Readonly<Record<string, string>>;
  readonly pluginPath: readonly string[];
}

const required: Readonly<Record<Verb, readonly string[]>> = {
  ADD: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  CHECK: ['CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME'],
  DEL: ['CNI_CONTAINERID', 'CNI_IFNAME'],
  GC: ['CNI_PATH'],
  STATUS: [],
  VERSION: [],
};

/** The CNI_* variables; undefined when CNI_COMMAND is empty (somebody looks what this program is). Throws `CniError` 4. */
export function parseEnvironment(env: Readonly<Record<string, string | undefined>>): Invocation | undefined {
  const command = env['CNI_COMMAND'] ?? '';
  if (command === '') return undefined;
  const verb = verbs.find((each) => each === command);
  if (verb === undefined) throw invalid('CNI_COMMAND', command, `is not one of ${verbs.join(', ')}`);
  const missing = required[verb].filter((name) => (env[name] ?? '') === '');
  if (missing.length > 0) throw new CniError(cniCode.invalidEnvironment, `${verb}: required environment variables missing: ${missing.join(', ')}`);
  const needsNames = required[verb].includes('CNI_IFNAME');
  const containerId = env['CNI_CONTAINERID'] ?? '';
  const ifname = env['CNI_IFNAME'] ?? '';
  if (needsNames && !isContainerId(containerId)) throw invalid('CNI_CONTAINERID', containerId, 'is not a container id: it starts with a letter or digit, then letters, digits, "_", ".", "-"');
  if (needsNames && !isInterfaceName(ifname)) throw invalid('CNI_IFNAME', ifname, 'is not an interface name (at most 15 characters, not "." or "..", no "/", ":" or blank)');
  return {
    verb, containerId, ifname,
    netns: env['CNI_NETNS'] ?? '',
    args: parseArgs(env['CNI_ARGS'] ?? ''),
    pluginPath: (env['CNI_PATH'] ?? '').split(':').filter((each) => each !== ''),
  };
}

/** `IgnoreUnknown=1;K8S_POD_NAME=web`: semicolons between pairs. */
export function parseArgs(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(text.split(';').filter((pair) => pair !== '').map((pair) => {
    const at = pair.indexOf('=');
    if (at <= 0) throw invalid('CNI_ARGS', text, `has "${pair}", which is not KEY=VALUE`);
    return [pair.slice(0, at), pair.slice(at + 1)];
  }));
}

const knownArgs = (key: string): boolean => ['IgnoreUnknown', 'MAC', 'IP'].includes(key) || key.startsWith('K8S_POD_');

/** Arguments that we do not know are an error unless IgnoreUnknown is set, as with the reference plugins. */
export function refuseUnknownArgs(args: Readonly<Record<string, string>>): void {
  if (['1', 'true', 't', 'yes'].includes((args['IgnoreUnknown'] ?? '').toLowerCase())) return;
  const unknown = Object.keys(args).filter((key) => !knownArgs(key));
  if (unknown.length > 0) throw new CniError(cniCode.invalidEnvironment, `CNI_ARGS: unknown ${unknown.join(', ')}; set IgnoreUnknown=1 to allow them`);
}

const invalid = (name: string, value: string, problem: string): CniError => new CniError(cniCode.invalidEnvironment, `${name}: "${value}" ${problem}`);
