// A query's bytes in, the reply's bytes out, or word that somebody else must answer. Pure.
import dns from 'dns-packet';
import type { DecodedPacket, Packet } from 'dns-packet';
import { answerQuestion, soa } from './zone.ts';
import type { Answer, Objects } from './zone.ts';

const rcode = { noError: 0, formatError: 1, nxDomain: 3, notImplemented: 4, serverFailure: 2 } as const;
const plainUdpBytes = 512;
const mostUdpBytes = 1232;

export type Reply = { readonly bytes: Buffer } | { readonly forward: true } | { readonly chase: string; readonly answer: Answer; readonly query: DecodedPacket } | undefined;

/** What to say to a query. `chase`: an ExternalName whose target somebody else knows. Undefined: not even a query. */
export function replyTo(bytes: Buffer, zone: string, objects: Objects): Reply {
  let query: DecodedPacket;
  try {
    query = dns.decode(bytes);
  } catch {
    // Too broken to read its question; its id is enough to refuse it.
    return bytes.length < 12 ? undefined : { bytes: refusal(bytes.readUInt16BE(0), rcode.formatError) };
  }
  if (query.type !== 'query') return undefined;
  const [question] = query.questions ?? [];
  if (question === undefined || (query.questions ?? []).length !== 1) return { bytes: refusal(query.id ?? 0, rcode.formatError) };
  const answer = answerQuestion(question, zone, objects);
  if (answer.kind === 'forward') return { forward: true };
  const [first] = answer.answers;
  if (first?.type === 'CNAME' && (question.type === 'A' || question.type === 'AAAA')) return { chase: first.data, answer, query };
  return { bytes: encodeAnswer(query, answer, zone) };
}

export function refusal(id: number, code: number): Buffer {
  return dns.encode({ type: 'response', id, flags: code, questions: [], answers: [] });
}

export const serverFailure = (id: number): Buffer => refusal(id, rcode.serverFailure);

export function encodeAnswer(query: DecodedPacket, answer: Answer, zone: string, more: Packet['answers'] = []): Buffer {
  const edns = (query.additionals ?? []).some((record) => record.type === 'OPT');
  const recursion = ((query.flags ?? 0) & dns.RECURSION_DESIRED);
  return dns.encode({
    type: 'response', id: query.id ?? 0,
    flags: dns.AUTHORITATIVE_ANSWER | dns.RECURSION_AVAILABLE | recursion | (answer.kind === 'nxdomain' ? rcode.nxDomain : rcode.noError),
    questions: query.questions ?? [],
    answers: [...(answer.answers as NonNullable<Packet['answers']>), ...more],
    authorities: answer.kind === 'found' ? [] : [soa(zone)],
    additionals: [...(answer.additionals as NonNullable<Packet['additionals']>), ...(edns ? [{ type: 'OPT' as const, name: '.' as const, udpPayloadSize: mostUdpBytes, flags: 0, extendedRcode: 0, ednsVersion: 0, flag_do: false, options: [] }] : [])],
  });
}

/** The reply cut to what the asker takes over UDP: too long a one becomes an empty one that says to ask again over TCP. */
export function fitUdp(query: Buffer, reply: Buffer): Buffer {
  let limit = plainUdpBytes;
  try {
    const option = dns.decode(query).additionals?.find((record) => record.type === 'OPT') as { readonly udpPayloadSize?: number } | undefined;
    if (option?.udpPayloadSize !== undefined) limit = Math.min(Math.max(option.udpPayloadSize, plainUdpBytes), mostUdpBytes);
  } catch {
    limit = plainUdpBytes; // a query that cannot be read takes the least
  }
  if (reply.length <= limit) return reply;
  const { id, flags, questions } = dns.decode(reply);
  return dns.encode({ type: 'response', id: id ?? 0, flags: (flags ?? 0) | dns.TRUNCATED_RESPONSE, questions: questions ?? [], answers: [] });
}
