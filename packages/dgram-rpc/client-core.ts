import { decode, encode } from './message.ts';

// The client's side of the protocol: no socket, no clock, no randomness. Time arrives in events, effects come out as data.

/** A request is sent again after `firstMs`, then after twice that, and so on up to `maxMs` apart, until `timeoutMs` is over. */
export interface Schedule {
  readonly timeoutMs: number;
  readonly firstMs: number;
  readonly maxMs: number;
}

interface Pending {
  readonly bytes: Uint8Array;
  readonly deadline: number;
  readonly maxMs: number;
  readonly intervalMs: number;
  readonly nextSend: number;
  readonly sent: number;
}

/** Used up by a step: its map moves into the next state, so that a step does not cost a copy of every pending call. */
export interface ClientState {
  readonly pending: Map<string, Pending>;
}

export type ClientEvent =
  | { readonly kind: 'call'; readonly now: number; readonly id: string; readonly payload: Uint8Array; readonly schedule: Schedule }
  | { readonly kind: 'datagram'; readonly now: number; readonly bytes: Uint8Array }
  | { readonly kind: 'tick'; readonly now: number }
  | { readonly kind: 'cancel'; readonly now: number; readonly id: string }
  /** The socket reported an error: ICMP says so for the address, not for one datagram, so that every pending call ends. */
  | { readonly kind: 'unreachable'; readonly now: number; readonly code: string };

export type Outcome =
  | { readonly kind: 'answer'; readonly payload: Uint8Array; readonly sent: number }
  | { readonly kind: 'failed'; readonly code: string; readonly text: string; readonly sent: number };

export type ClientEffect =
  | { readonly kind: 'send'; readonly bytes: Uint8Array }
  | { readonly kind: 'settle'; readonly id: string; readonly outcome: Outcome };

export interface ClientStep {
  readonly state: ClientState;
  readonly effects: readonly ClientEffect[];
  /** When the next tick is due; undefined: nothing is pending. */
  readonly wakeAt: number | undefined;
}

export function idleClient(): ClientState {
  return { pending: new Map() };
}

export function clientStep(state: ClientState, event: ClientEvent): ClientStep {
  const { pending } = state;
  const effects: ClientEffect[] = [];
  const settle = (id: string, outcome: Outcome): void => {
    if (pending.delete(id)) effects.push({ kind: 'settle', id, outcome });
  };
  switch (event.kind) {
    case 'call': {
      const { now, id, payload, schedule } = event;
      const bytes = encode({ kind: 'request', id, payload });
      pending.set(id, { bytes, deadline: now + schedule.timeoutMs, maxMs: schedule.maxMs, intervalMs: schedule.firstMs, nextSend: now + schedule.firstMs, sent: 1 });
      effects.push({ kind: 'send', bytes });
      break;
    }
    case 'datagram': {
      const message = decode(event.bytes);
      const call = message === undefined ? undefined : pending.get(message.id);
      if (message === undefined || call === undefined || message.kind === 'request') break; // late, doubled, or a stranger's
      if (message.kind === 'response') settle(message.id, { kind: 'answer', payload: message.payload, sent: call.sent });
      else settle(message.id, { kind: 'failed', ...parseFailure(message.payload), sent: call.sent });
      break;
    }
    case 'tick':
      for (const [id, call] of pending) {
        if (event.now >= call.deadline) {
          settle(id, { kind: 'failed', code: 'ETIMEDOUT', text: `no answer; sent ${call.sent} times`, sent: call.sent });
        } else if (event.now >= call.nextSend) {
          const intervalMs = Math.min(call.intervalMs * 2, call.maxMs);
          pending.set(id, { ...call, intervalMs, nextSend: event.now + intervalMs, sent: call.sent + 1 });
          effects.push({ kind: 'send', bytes: call.bytes });
        }
      }
      break;
    case 'cancel':
      pending.delete(event.id);
      break;
    case 'unreachable':
      for (const [id, { sent }] of [...pending]) settle(id, { kind: 'failed', code: event.code, text: 'the network says that it is not reachable', sent });
      break;
  }
  let wakeAt: number | undefined;
  for (const { deadline, nextSend } of pending.values()) wakeAt = Math.min(wakeAt ?? Infinity, deadline, nextSend);
  return { state: { pending }, effects, wakeAt };
}

/** `CODE text`, as the server's core writes it. */
function parseFailure(payload: Uint8Array): { code: string; text: string } {
  const [, code = 'EREMOTE', text = ''] = /^([A-Z0-9]+) ([^]*)$/.exec(Buffer.from(payload).toString('utf8')) ?? [];
  return { code, text };
}
