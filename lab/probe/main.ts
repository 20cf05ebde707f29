// The probe: server and client in one program. It runs in pods, on nodes and outside; bundled to one file (bundle.ts).
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { attempt } from './attempt.ts';
import type { ProbeRequest, ProbeResult } from './protocol.ts';
import { serveProbes } from './serve.ts';

const USAGE = `probe server [--port N]...                 TCP and UDP; answers who it is and whom it saw
probe client                               reads requests from standard input, one JSON line each, answers as they come
probe tcp|udp|connect HOST:PORT [--count N] [--timeout MS] [--size B] [--source-port N]

server: POD_NAME and NODE_NAME say who it is; after SIGTERM it serves on for PROBE_LINGER seconds (default 5).
Exit code: 0 all attempts answered, 1 not all, 2 bad usage.`;

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

class UsageError extends Error {
  override readonly name = 'UsageError';
}

function wholeNumber(name: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > max) throw new UsageError(`--${name}: ${text} is not a whole number from 0 to ${max}`);
  return value;
}

/** Kubernetes takes a pod out of its Services while it already stops: serving on bridges the time until every node knows. */
async function server(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...args], options: { port: { type: 'string', multiple: true, default: ['8080'] } } });
  const lingerSeconds = Number(process.env['PROBE_LINGER'] ?? '5');
  await using running = await serveProbes(values.port.map((port) => wholeNumber('port', port, 65_535)), { pod: process.env['POD_NAME'] ?? '', node: process.env['NODE_NAME'] ?? '' });
  print({ listening: running.ports });
  const { promise, resolve } = Promise.withResolvers<undefined>();
  process.once('SIGTERM', () => resolve(undefined));
  process.once('SIGINT', () => process.exit(130));
  await promise;
  await delay(lingerSeconds * 1000);
  return 0;
}

/** One process for many attempts: starting a program costs more than the probe. */
async function client(): Promise<number> {
  const running = new Set<Promise<void>>();
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() === '') continue;
    const one: Promise<void> = attempt(JSON.parse(line) as ProbeRequest).then((result) => print(result)).finally(() => running.delete(one));
    running.add(one);
  }
  await Promise.all(running);
  return 0;
}

async function once(protocol: ProbeRequest['protocol'], args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args], allowPositionals: true,
    options: { count: { type: 'string', default: '1' }, timeout: { type: 'string', default: '2000' }, size: { type: 'string', default: '0' }, 'source-port': { type: 'string' } },
  });
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(positionals[0] ?? '') ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || port === undefined) throw new UsageError(`${positionals[0] ?? 'no target'}: give HOST:PORT, or [IPV6]:PORT`);
  const sourcePort = values['source-port'];
  let answered = 0;
  const count = wholeNumber('count', values.count, 1_000_000);
  for (let number = 1; number <= count; number++) {
    const result: ProbeResult = await attempt({
      id: `${number}`, protocol, host, port: wholeNumber('port', port, 65_535), timeoutMs: wholeNumber('timeout', values.timeout, 600_000), size: wholeNumber('size', values.size, 1 << 24),
      ...(sourcePort === undefined ? {} : { sourcePort: wholeNumber('source-port', sourcePort, 65_535) }),
    });
    print(result);
    if (result.ok) answered++;
  }
  return answered === count ? 0 : 1;
}

async function main([command = '', ...rest]: readonly string[]): Promise<number> {
  switch (command) {
    case 'server': return server(rest);
    case 'client': return client();
    case 'tcp':
    case 'udp':
    case 'connect': return once(command, rest);
    case '--help': {
      process.stdout.write(`${USAGE}\n`);
      return 0;
    }
    default: throw new UsageError(command === '' ? 'a command is missing' : `${command}: no such command`);
  }
}

// A function, not top-level await: the bundle is CommonJS, which starts faster.
main(process.argv.slice(2)).then((code) => process.exit(code), (error: unknown) => {
  const isUsage = error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true;
  process.stderr.write(`probe: ${error instanceof Error ? error.message : String(error)}\n${isUsage ? `\n${USAGE}\n` : ''}`);
  process.exit(2);
});
