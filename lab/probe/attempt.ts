import { randomBytes } from 'node:crypto';
import { RpcClient, RpcError } from 'dgram-rpc';
import { ProbeError, TIMEOUT } from './errors.ts';
import { lookUp } from './lookup.ts';
import { padded, parseAnswer, requestLine } from './protocol.ts';
import type { ProbeAnswer, ProbeRequest, ProbeResult } from './protocol.ts';
import { overTcp } from './tcp.ts';

/** EPERM: what a UDP sender gets when a rule of its own machine rejects. NXDOMAIN: a DNS server that says so. */
const REFUSALS = new Set(['ECONNREFUSED', 'EPERM', 'ECONNRESET', 'NXDOMAIN']);

/** One attempt: never throws, says what came of it. With a lookup, to the address that the name has. */
export async function attempt(request: ProbeRequest): Promise<ProbeResult> {
  const start = performance.now();
  const result = (outcome: Partial<ProbeResult>): ProbeResult => ({ id: request.id, ok: false, refused: false, timeout: false, ms: Math.round((performance.now() - start) * 1000) / 1000, ...outcome });
  let found: Partial<ProbeResult> = {};
  try {
    if (request.lookup !== undefined) {
      found = { failedAt: 'lookup' };
      found = { resolved: await lookUp(request.lookup, request.timeoutMs) };
    }
    const host = found.resolved === undefined ? request.host : found.resolved[0];
    if (host === undefined) return result({ ...found, error: 'ENODATA' });
    const answer = request.protocol === 'udp' ? await udp({ ...request, host }) : await tcp({ ...request, host });
    return result(answer === undefined ? { ...found, ok: true } : { ...found, ok: true, answer });
  } catch (error) {
    const { code = 'EIO' } = error as NodeJS.ErrnoException;
    if (REFUSALS.has(code)) return result({ ...found, refused: true });
    return result(code === TIMEOUT ? { ...found, timeout: true } : { ...found, error: code });
  }
}

function tcp({ host, port, timeoutMs, size = 0, sourcePort, protocol }: ProbeRequest): Promise<ProbeAnswer | undefined> {
  const nonce = randomBytes(6).toString('hex');
  return overTcp<ProbeAnswer | undefined>({ host, port, ...(sourcePort === undefined ? {} : { localPort: sourcePort }) }, timeoutMs, (socket, { resolve, reject }) => {
    const received: Buffer[] = [];
    socket.on('connect', () => {
      if (protocol === 'connect') resolve(undefined);
      else socket.write(Buffer.concat([Buffer.from(requestLine(nonce, size)), Buffer.alloc(size, 0x2e)]));
    });
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    socket.on('end', () => {
      const bytes = Buffer.concat(received);
      const end = bytes.indexOf(10);
      const answer = end < 0 ? undefined : parseAnswer(bytes.toString('utf8', 0, end));
      if (answer?.nonce !== nonce || bytes.length - end - 1 !== size) reject(new ProbeError('not an answer of a probe server', 'EPROTO'));
      else resolve(answer);
    });
  });
}

/** Hops with a smaller MTU on the way, at most: each says so once, with the size that passes. */
const MTU_LESSONS = 3;

/** IPv6 routers do not fragment: the first datagram is lost to "packet too big", which the socket hears as EMSGSIZE; the next is cut to fit (RFC 8201). */
async function udp(request: ProbeRequest): Promise<ProbeAnswer> {
  for (let lesson = 1; ; lesson++) {
    try {
      return await udpOnce(request);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EMSGSIZE' || lesson >= MTU_LESSONS) throw error;
    }
  }
}

async function udpOnce({ host, port, timeoutMs, size = 0, sourcePort }: ProbeRequest): Promise<ProbeAnswer> {
  const nonce = randomBytes(6).toString('hex');
  await using client = await RpcClient.connect(host, port, { maxBytes: 65_000, ...(sourcePort === undefined ? {} : { localPort: sourcePort }) });
  const { payload } = await client.call(padded(requestLine(nonce, size), size), { timeoutMs, retransmitMs: Math.min(400, timeoutMs / 2) });
  const answer = parseAnswer(payload.toString('utf8').trimEnd());
  if (answer?.nonce !== nonce || payload.length < size) throw new RpcError('probe', 'EPROTO', 'not an answer of a probe server');
  return answer;
}
