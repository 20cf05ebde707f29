import { decode, encode } from './message.ts';

// The server's side of the protocol. A request that comes again (our answer was lost, or is under way) is never handled twice.

export interface ServerLimits {
  readonly maxBytes: number;
  /** Answers kept to be sent again; the oldest go first. */
  readonly maxAnswers: number;
  readonly maxAnswerBytes: number;
  /** Longer than a client goes on retransmitting. */
  readonly keepMs: number;
}

export const defaultLimits: ServerLimits = { maxBytes: 1200, maxAnswers: 1024, maxAnswerBytes: 4 << 20, keepMs: 30_000 };

interface Answer {
  readonly bytes: Uint8Array;
  readonly until: number;
}

/** Used up by a step: its maps move into the next state, so that a step does not cost a copy of a thousand answers. */
export interface ServerState {
  readonly limits: ServerLimits;
  /** Requests whose handler runs, by peer and id. */
  readonly running: Set<string>;
  /** Oldest first. */
  readonly answers: Map<string, Answer>;
  readonly answerBytes: number;
}

export type ServerEvent =
  | { readonly kind: 'datagram'; readonly now: number; readonly peer: string; readonly bytes: Uint8Array }
  | { readonly kind: 'answered'; readonly now: number; readonly key: string; readonly payload: Uint8Array }
  | { readonly kind: 'failed'; readonly now: number; readonly key: string; readonly text: string };

export type ServerEffect =
  | { readonly kind: 'handle'; readonly key: string; readonly payload: Uint8Array }
  | { readonly kind: 'send'; readonly peer: string; readonly bytes: Uint8Array };

export interface ServerStep {
  readonly state: ServerState;
  readonly effects: readonly ServerEffect[];
}

export function idleServer(limits: ServerLimits): ServerState {
  return { limits, running: new Set(), answers: new Map(), answerBytes: 0 };
}

const keyOf = (peer: string, id: string): string => `${peer} ${id}`;
const failure = (code: string, text: string): Uint8Array => Buffer.from(`${code} ${text}`.slice(0, 500), 'utf8');

export function serverStep(state: ServerState, event: ServerEvent): ServerStep {
  if (event.kind === 'datagram') return receive(state, event.now, event.peer, event.bytes);
  const payload = event.kind === 'answered' ? event.payload : failure('EREMOTE', event.text);
  if (!state.running.delete(event.key)) return { state, effects: [] };
  if (event.kind === 'answered' && payload.length > state.limits.maxBytes) {
    return answer(state, event.now, event.key, 'error', failure('EMSGSIZE', `the answer of ${payload.length} bytes is over the server's limit of ${state.limits.maxBytes}`));
  }
  return answer(state, event.now, event.key, event.kind === 'answered' ? 'response' : 'error', payload);
}

function receive(state: ServerState, now: number, peer: string, bytes: Uint8Array): ServerStep {
  const message = decode(bytes);
  if (message?.kind !== 'request') return { state, effects: [] };
  const key = keyOf(peer, message.id);
  const known = state.answers.get(key);
  if (known !== undefined && known.until > now) return { state, effects: [{ kind: 'send', peer, bytes: known.bytes }] };
  if (state.running.has(key)) return { state, effects: [] };
  if (message.payload.length > state.limits.maxBytes) {
    return answer(state, now, key, 'error', failure('EMSGSIZE', `the request of ${message.payload.length} bytes is over the server's limit of ${state.limits.maxBytes}`));
  }
  state.running.add(key);
  return { state, effects: [{ kind: 'handle', key, payload: message.payload }] };
}

function answer(state: ServerState, now: number, key: string, kind: 'response' | 'error', payload: Uint8Array): ServerStep {
  const [peer = '', id = ''] = key.split(' ');
  const bytes = encode({ kind, id, payload });
  const { answers, limits } = state;
  let answerBytes = state.answerBytes - (answers.get(key)?.bytes.length ?? 0) + bytes.length;
  answers.delete(key);
  answers.set(key, { bytes, until: now + limits.keepMs });
  for (const [oldest, { bytes: old, until }] of answers) {
    if (until > now && answers.size <= limits.maxAnswers && answerBytes <= limits.maxAnswerBytes) break;
    if (oldest === key) break; // the newest stays, however large
    answers.delete(oldest);
    answerBytes -= old.length;
  }
  return { state: { ...state, answerBytes }, effects: [{ kind: 'send', peer, bytes }] };
}
