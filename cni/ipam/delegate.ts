import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { CniError, cniCode } from '../protocol/errors.ts';
import { isJson } from '../protocol/reader.ts';

export interface PluginCall {
  readonly command: 'ADD' | 'DEL' | 'CHECK' | 'GC' | 'STATUS';
  readonly containerId?: string;
  readonly netns?: string;
  readonly ifname?: string;
  readonly args?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * Runs another CNI plugin found in CNI_PATH and returns its JSON answer (undefined when it said nothing). Its error
 * object becomes a `CniError` with its own code; one that dies without a word is named, with what it wrote on stderr.
 */
export async function callPlugin(name: string, pluginPath: readonly string[], config: unknown, call: PluginCall): Promise<unknown> {
  const binary = findPlugin(name, pluginPath);
  const child = spawn(binary, [], { env: environmentOf(call, pluginPath), stdio: ['pipe', 'pipe', 'pipe'], ...(call.signal === undefined ? {} : { signal: call.signal }) });
  const output: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output.stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text: string) => { output.stderr += text; });
  // A plugin may answer without reading its input: a broken pipe is no failure of ours.
  child.stdin.on('error', () => undefined).end(JSON.stringify(config));
  const exit = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(code === 0 ? '' : (signal ?? `exit code ${code ?? ''}`)));
  });
  const answer = parseAnswer(output.stdout);
  if (exit === '') return answer;
  if (isJson(answer) && typeof answer['code'] === 'number') {
    const { msg, details } = answer;
    throw new CniError(answer['code'], `${name} ${call.command}: ${typeof msg === 'string' ? msg : 'failed'}`, { details: typeof details === 'string' ? details : '' });
  }
  throw new CniError(cniCode.delegate, `${binary} ${call.command}: ${exit} without a CNI error`, { details: (output.stderr || output.stdout).slice(0, 2000) });
}

export function findPlugin(name: string, pluginPath: readonly string[]): string {
  for (const folder of pluginPath) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }
  throw new CniError(cniCode.invalidConfig, `ipam.type: no executable "${name}" in CNI_PATH (${pluginPath.length === 0 ? 'empty' : pluginPath.join(':')})`);
}

function environmentOf(call: PluginCall, pluginPath: readonly string[]): NodeJS.ProcessEnv {
  const args = Object.entries(call.args ?? {}).map(([key, value]) => `${key}=${value}`).join(';');
  return {
    PATH: process.env['PATH'],
    CNI_COMMAND: call.command,
    CNI_PATH: pluginPath.join(':'),
    ...(call.containerId === undefined ? {} : { CNI_CONTAINERID: call.containerId }),
    ...(call.netns === undefined ? {} : { CNI_NETNS: call.netns }),
    ...(call.ifname === undefined ? {} : { CNI_IFNAME: call.ifname }),
    ...(args === '' ? {} : { CNI_ARGS: args }),
  };
}

function parseAnswer(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
