// Runs inside one namespace (a pod, a node, the world outside) and does what the test asks for over IPC: serve, ask.
import dgram from 'node:dgram';
import net from 'node:net';

export interface AskOptions {
  readonly protocol: 'tcp' | 'udp';
  readonly host: string;
  readonly port: number;
  readonly count?: number;
  readonly timeoutMs?: number;
  /** UDP: send all from one socket. */
  readonly fromPort?: number;
  /** Source address; default: the kernel's choice. */
  readonly localAddress?: string;
}

/** `server name|source address it saw`, or an error code. */
export type Reply = string;

export type Command =
  | { readonly kind: 'serve'; readonly name: string; readonly tcp: readonly number[]; readonly udp: readonly number[]; readonly at?: string }
  | { readonly kind: 'ask'; readonly options: AskOptions }
  | { readonly kind: 'load'; readonly options: AskOptions; readonly intervalMs: number }
  | { readonly kind: 'unload' }
  | { readonly kind: 'hold'; readonly options: AskOptions }
  | { readonly kind: 'exchange'; readonly timeoutMs: number };

const plain = (address: string | undefined): string => (address ?? '').replace(/^::ffff:/, '');

async function serve(name: string, tcp: readonly number[], udp: readonly number[], at: string | undefined): Promise<void> {
  for (const port of tcp) {
    const server = net.createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', () => { if (socket.writable) socket.write(`${name}|${plain(socket.remoteAddress)}\n`); });
    });
    await new Promise<void>((resolve) => { server.listen(port, '::', () => resolve()); });
  }
  for (const port of udp) {
    // Answer from the address that was asked: one socket per family is enough when a pod has one address each.
    for (const type of ['udp4', 'udp6'] as const) {
      if (at !== undefined && at.includes(':') !== (type === 'udp6')) continue;
      const socket = dgram.createSocket({ type, ipv6Only: type === 'udp6' });
      socket.on('message', (_message, from) => socket.send(`${name}|${plain(from.address)}\n`, from.port, from.address));
      await new Promise<void>((resolve) => { socket.bind({ port, ...(at === undefined ? {} : { address: at }) }, () => resolve()); });
    }
  }
}

const codeOf = (error: Error): string => ('code' in error ? String(error.code) : error.message);

function askTcp({ host, port, timeoutMs = 1500, localAddress }: AskOptions): Promise<Reply> {
  return new Promise((resolve) => {
    const socket = net.connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
    const done = (reply: string): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reply);
    };
    const timer = setTimeout(() => done('ETIMEDOUT'), timeoutMs);
    socket.once('connect', () => socket.write('?'));
    socket.once('data', (data) => done(data.toString().trim()));
    socket.once('error', (error) => done(codeOf(error)));
  });
}

async function askUdp(options: AskOptions): Promise<Reply[]> {
  const { host, port, count = 1, timeoutMs = 1500, fromPort } = options;
  const open = async (): Promise<dgram.Socket> => {
    const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
    if (fromPort !== undefined) await new Promise<void>((resolve) => { socket.bind(fromPort, () => resolve()); });
    return new Promise((resolve) => { socket.connect(port, host, () => resolve(socket)); });
  };
  const replies: Reply[] = [];
  let shared = fromPort === undefined ? undefined : await open();
  for (let n = 0; n < count; n++) {
    const socket = shared ?? await open();
    replies.push(await new Promise((resolve) => {
      const timer = setTimeout(() => done('ETIMEDOUT'), timeoutMs);
      const done = (reply: string): void => {
        clearTimeout(timer);
        socket.removeAllListeners();
        resolve(reply);
      };
      socket.once('message', (data) => done(data.toString().trim()));
      socket.once('error', (error) => done(codeOf(error)));
      socket.send('?', (error) => { if (error !== null) done(codeOf(error)); });
    }));
    if (shared === undefined) socket.close();
  }
  shared?.close();
  shared = undefined;
  return replies;
}

async function ask(options: AskOptions): Promise<Reply[]> {
  if (options.protocol === 'udp') return askUdp(options);
  const replies: Reply[] = [];
  for (let n = 0; n < (options.count ?? 1); n++) replies.push(await askTcp(options));
  return replies;
}

let loading: { stop: boolean; done: Promise<{ replies: Record<string, number>; failures: string[] }> } | undefined;

async function load(options: AskOptions, intervalMs: number, state: { stop: boolean }): Promise<{ replies: Record<string, number>; failures: string[] }> {
  const replies: Record<string, number> = {};
  const failures: string[] = [];
  const running = new Set<Promise<void>>();
  while (!state.stop) {
    const at = new Date().toISOString().slice(11, 23);
    const one = ask(options).then(([reply = '']) => {
      if (reply.includes('|')) replies[reply.split('|')[0] ?? ''] = (replies[reply.split('|')[0] ?? ''] ?? 0) + 1;
      else failures.push(`${at} ${reply}`);
    }).finally(() => running.delete(one));
    running.add(one);
    await new Promise((resolve) => setTimeout(resolve, intervalMs));
  }
  await Promise.all(running);
  return { replies, failures };
}

/** Connections that stay open, to see what becomes of them. */
const held: net.Socket[] = [];

async function hold(options: AskOptions): Promise<void> {
  for (let n = 0; n < (options.count ?? 1); n++) {
    const socket = net.connect({ host: options.host, port: options.port });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', () => resolve());
      socket.once('error', reject);
    });
    socket.on('error', () => undefined);
    held.push(socket);
  }
}

/** One question and answer on every held connection. */
function exchange(timeoutMs: number): Promise<Reply[]> {
  return Promise.all(held.map((socket) => new Promise<Reply>((resolve) => {
    const done = (reply: string): void => {
      clearTimeout(timer);
      socket.removeListener('close', closed);
      resolve(reply);
    };
    const closed = (): void => done('closed');
    const timer = setTimeout(() => done('ETIMEDOUT'), timeoutMs);
    socket.once('data', (data) => done(data.toString().trim()));
    socket.once('close', closed);
    if (socket.writable) socket.write('?');
    else done('closed');
  })));
}

async function run(command: Command): Promise<unknown> {
  if (command.kind === 'hold') return hold(command.options);
  if (command.kind === 'exchange') return exchange(command.timeoutMs);
  if (command.kind === 'serve') return serve(command.name, command.tcp, command.udp, command.at);
  if (command.kind === 'ask') return ask(command.options);
  if (command.kind === 'load') {
    const state = { stop: false, done: Promise.resolve({ replies: {}, failures: [] as string[] }) };
    state.done = load(command.options, command.intervalMs, state);
    loading = state;
    return undefined;
  }
  if (loading === undefined) return undefined;
  loading.stop = true;
  return loading.done;
}

process.on('message', (message: { id: number; command: Command }) => {
  run(message.command).then((result) => process.send?.({ id: message.id, result }), (error: unknown) => process.send?.({ id: message.id, error: String(error) }));
});
process.on('disconnect', () => process.exit(0));
process.send?.({ ready: true });
