// A name's addresses, asked of one DNS server over one transport: what the system's resolver does not let one choose.
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import dns from 'dns-packet';
import type { DecodedPacket } from 'dns-packet';
import { ProbeError, TIMEOUT } from './errors.ts';
import type { Lookup } from './protocol.ts';
import { overTcp } from './tcp.ts';

const NXDOMAIN = 3;
/** A resolver asks again when a datagram was lost. */
const RETRANSMIT_MS = 500;
/** resolv.conf(5). */
const USUAL_NDOTS = 1;

export interface ResolvConf {
  readonly search: readonly string[];
  readonly ndots: number;
}

/** The last `search` line counts, as in resolv.conf(5). */
export function parseResolvConf(text: string): ResolvConf {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const search = lines.findLast(([word]) => word === 'search')?.slice(1) ?? [];
  const ndots = lines.flatMap(([word, ...options]) => (word === 'options' ? options : [])).findLast((option) => option.startsWith('ndots:'));
  return { search, ndots: ndots === undefined ? USUAL_NDOTS : Number(ndots.slice('ndots:'.length)) };
}

/** The full names to ask for, in order. A name that ends with a dot is full already. */
export function candidates(name: string, { search, ndots }: ResolvConf): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const longer = search.map((domain) => `${name}.${domain}`);
  return name.split('.').length - 1 >= ndots ? [name, ...longer] : [...longer, name];
}

/** Throws ProbeError NXDOMAIN when the server says that there is no such name, ETIMEDOUT when it says nothing, or the socket's error. */
export async function lookUp(lookup: Lookup, timeoutMs: number): Promise<readonly string[]> {
  const deadline = performance.now() + timeoutMs;
  for (const name of candidates(lookup.name, parseResolvConf(readFileSync('/etc/resolv.conf', 'utf8')))) {
    const query = dns.encode({ type: 'query', id: Math.floor(Math.random() * 0x10000), flags: dns.RECURSION_DESIRED, questions: [{ type: lookup.record, name }] });
    const ask = lookup.transport === 'udp' ? askUdp : askTcp;
    const { answers = [], flags = 0 } = await ask(query, lookup, Math.max(1, deadline - performance.now()));
    const code = flags & 0xf;
    if (code === NXDOMAIN) continue;
    if (code !== 0) throw new ProbeError(`${lookup.server} answers with code ${code}`, `EDNS${code}`);
    return answers.flatMap((answer) => ((answer.type === 'A' || answer.type === 'AAAA') && answer.type === lookup.record ? [answer.data] : []));
  }
  throw new ProbeError(`${lookup.server} knows no ${lookup.name}`, 'NXDOMAIN');
}

/** Undefined: not the answer to this query. */
function answerTo(query: Buffer, bytes: Buffer): DecodedPacket | undefined {
  return bytes.length >= 12 && bytes.readUInt16BE(0) === query.readUInt16BE(0) ? dns.decode(bytes) : undefined;
}

async function askUdp(query: Buffer, { server, port }: Lookup, timeoutMs: number): Promise<DecodedPacket> {
  const socket = createSocket(isIPv6(server) ? 'udp6' : 'udp4');
  const { promise, resolve, reject } = Promise.withResolvers<DecodedPacket>();
  const send = (): void => { socket.send(query, (error) => { if (error !== null) reject(error); }); };
  const again = setInterval(send, RETRANSMIT_MS);
  const timer = setTimeout(() => reject(new ProbeError('no answer', TIMEOUT)), timeoutMs);
  socket.on('error', reject);
  socket.on('message', (bytes) => {
    const answer = answerTo(query, bytes);
    if (answer !== undefined) resolve(answer);
  });
  socket.connect(port, server, send); // connected: a refusal is heard
  try {
    return await promise;
  } finally {
    clearInterval(again);
    clearTimeout(timer);
    socket.close();
  }
}

function askTcp(query: Buffer, { server, port }: Lookup, timeoutMs: number): Promise<DecodedPacket> {
  return overTcp({ host: server, port }, timeoutMs, (socket, { resolve, reject }) => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    let received = Buffer.alloc(0);
    socket.on('connect', () => socket.write(Buffer.concat([length, query])));
    socket.on('end', () => reject(new ProbeError('the server hung up', 'EPROTO')));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      const answer = answerTo(query, received.subarray(2, 2 + received.readUInt16BE(0)));
      if (answer === undefined) reject(new ProbeError('not an answer to the query', 'EPROTO'));
      else resolve(answer);
    });
  });
}
