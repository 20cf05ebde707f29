// Runs inside a pod's namespace for the tests: answers and asks over TCP and UDP, one JSON command per line.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';

interface Command {
  readonly id: number;
  readonly do: 'serve' | 'tcp' | 'udp' | 'flood';
  readonly host?: string;
  readonly port: number;
  readonly bytes?: number;
  readonly timeoutMs?: number;
  readonly count?: number;
  readonly from?: string;
}

const timeout = 5000;
const served = new Set<number>();

/** Servers answer with the address that they saw the client at. */
async function serve(port: number): Promise<string> {
  if (served.has(port)) return 'listening';
  served.add(port);
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end(socket.remoteAddress ?? '');
  });
  const udp = createSocket({ type: 'udp6', ipv6Only: false });
  udp.on('message', (message, from) => udp.send(`${from.address} ${message.length}`, from.port, from.address));
  await Promise.all([
    new Promise<void>((done) => { tcp.listen(port, '::', () => done()); }),
    new Promise<void>((done) => { udp.bind(port, '::', () => done()); }),
  ]);
  return 'listening';
}

async function tcp({ host = '', port, timeoutMs = timeout }: Command): Promise<string> {
  return await new Promise((done, failed) => {
    let text = '';
    const socket = connect({ host, port });
    socket.setTimeout(timeoutMs, () => { socket.destroy(new Error('timeout')); });
    socket.setEncoding('utf8').on('data', (chunk: string) => { text += chunk; });
    socket.on('end', () => done(text)).on('error', failed);
  });
}

async function udp({ host = '', port, bytes = 8, timeoutMs = timeout }: Command): Promise<string> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    return await new Promise((done, failed) => {
      const timer = setTimeout(() => failed(new Error('timeout')), timeoutMs);
      socket.on('message', (message) => { clearTimeout(timer); done(message.toString()); });
      socket.on('error', failed);
      socket.send(Buffer.alloc(bytes), port, host, (error) => { if (error !== null) failed(error); });
    });
  } finally {
    socket.close();
  }
}

/** Datagrams as fast as they go, to nobody in particular: what becomes of them is read from counters. */
async function flood({ host = '', port, bytes = 1000, count = 1, from }: Command): Promise<string> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    if (from !== undefined) await new Promise<void>((done, failed) => { socket.on('error', failed).bind(0, from, done); });
    const payload = Buffer.alloc(bytes);
    for (let sent = 0; sent < count; sent++) await new Promise<void>((done) => { socket.send(payload, port, host, () => done()); });
    return String(count);
  } finally {
    socket.close();
  }
}

const commands: Readonly<Record<Command['do'], (command: Command) => Promise<string>>> = { serve: ({ port }) => serve(port), tcp, udp, flood };

createInterface(process.stdin).on('line', (line) => {
  const command = JSON.parse(line) as Command;
  commands[command.do](command).then(
    (ok) => process.stdout.write(`${JSON.stringify({ id: command.id, ok: ok.replace(/^::ffff:/, '') })}\n`),
    (error: unknown) => process.stdout.write(`${JSON.stringify({ id: command.id, error: String(error) })}\n`));
}).on('close', () => process.exit(0));
