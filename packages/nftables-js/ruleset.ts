import { spawn } from 'node:child_process';
import { NftError } from './errors.ts';

/** Not the first `nft` in PATH: node_modules/.bin may hold another program of that name. */
const NFT = '/usr/sbin/nft';

export interface RulesetOptions {
  /** Path of a network namespace (`/run/netns/NAME`, `/proc/PID/ns/net`); default: the caller's. */
  readonly netns?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told the process id of `nft`: the monitor names it as the originator of the change. */
  readonly onProcess?: (pid: number) => void;
}

/** `nft -f -`: the text as one transaction, all of it or nothing. Throws NftError: SYNTAX with the line, or the kernel's errno and text. */
export async function loadRuleset(text: string, options: RulesetOptions = {}): Promise<void> {
  await runNft(['-f', '-'], text, options);
}

/** `nft -c -f -`: whether it would load, without loading it. */
export async function checkRuleset(text: string, options: RulesetOptions = {}): Promise<void> {
  await runNft(['-c', '-f', '-'], text, options);
}

/** Runs the real `nft` with arguments and standard input; returns its standard output. */
export async function runNft(args: readonly string[], input: string, options: RulesetOptions = {}): Promise<string> {
  options.signal?.throwIfAborted();
  const argv = options.netns === undefined ? [NFT, ...args] : ['/usr/bin/nsenter', `--net=${options.netns}`, '--', NFT, ...args];
  const [command = NFT, ...rest] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'], ...(options.signal === undefined ? {} : { signal: options.signal }) });
  if (child.pid !== undefined) options.onProcess?.(child.pid);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.on('error', (cause) => {
    if (options.signal?.aborted === true) reject(cause);
    else reject(new NftError(`nft ${args.join(' ')}`, 'ENOENT', `${command} cannot be started; install nftables`, { cause }));
  });
  child.on('close', (code) => {
    if (code === 0) resolve(Buffer.concat(out).toString('utf8'));
    else reject(parseNftFailure(`nft ${args.join(' ')}`, Buffer.concat(err).toString('utf8')));
  });
  child.stdin.on('error', () => { /* nft stopped reading: its exit code and message say why */ });
  child.stdin.end(input);
  return promise;
}

const ERRNO_OF = new Map([
  ['File exists', 'EEXIST'], ['No such file or directory', 'ENOENT'], ['Device or resource busy', 'EBUSY'], ['Operation not supported', 'EOPNOTSUPP'],
  ['Operation not permitted', 'EPERM'], ['Invalid argument', 'EINVAL'], ['Numerical result out of range', 'ERANGE'], ['Too many links', 'EMLINK'], ['Too many open files in system', 'ENFILE'],
]);

/**
 * What `nft` printed, as an error: `/dev/stdin:3:5-10: Error: Could not process rule: File exists`. The text is nft's only
 * channel for the kernel's errno; outside this driver nobody looks at it.
 */
export function parseNftFailure(operation: string, stderr: string): NftError {
  const found = /^(?:\/dev\/stdin|-|<cmdline>):(\d+):[^:]*:\s*Error:\s*(.*)$/m.exec(stderr) ?? /^()(?:netlink: )?Error:\s*(.*)$/m.exec(stderr);
  const message = (found?.[2] ?? stderr.trim()).trim();
  const line = found?.[1] === undefined || found[1] === '' ? undefined : Number(found[1]);
  const errnoText = /Could not process rule: (.*)$/.exec(message)?.[1] ?? /: ([A-Z][a-z ]+)$/.exec(message)?.[1];
  const isPermission = stderr.includes('Operation not permitted');
  const code = isPermission ? 'EPERM' : errnoText === undefined ? 'SYNTAX' : ERRNO_OF.get(errnoText) ?? 'EINVAL';
  const where = line === undefined ? operation : `${operation}: line ${line}`;
  return new NftError(where, code, isPermission ? 'Operation not permitted; run as root, or with CAP_NET_ADMIN' : message, line === undefined ? {} : { line });
}
