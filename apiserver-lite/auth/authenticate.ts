import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';
import type { User } from '../rest/context.ts';

export type TokenVerifier = (token: string) => User | undefined;

export const anonymous: User = { name: 'system:anonymous', groups: ['system:unauthenticated'] };

const bySocket = new WeakMap<TLSSocket, User>();
const list = (value: string | string[] | undefined): string[] => (value === undefined ? [] : Array.isArray(value) ? value : [value]);

/** The client certificate's CN is the user, its Os are the groups. Looked at once per connection. */
function certificateUser(socket: unknown): User | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const known = bySocket.get(socket);
  if (known !== undefined) return known;
  if (!socket.authorized) return undefined;
  const subject = socket.getPeerCertificate().subject as Partial<Record<'CN' | 'O', string | string[]>> | undefined;
  const name = list(subject?.CN)[0];
  if (name === undefined) return undefined;
  const user = { name, groups: [...list(subject?.O), 'system:authenticated'] };
  bySocket.set(socket, user);
  return user;
}

/** Who asks: by client certificate, else by bearer token, else nobody; 'refused' when credentials were given and are wrong. */
export function authenticate(request: IncomingMessage, verifiers: readonly TokenVerifier[]): User | 'refused' {
  const user = certificateUser(request.socket);
  if (user !== undefined) return user;
  const bearer = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? protocolToken(request);
  if (bearer === undefined) return request.headers.authorization === undefined ? anonymous : 'refused';
  for (const verify of verifiers) {
    const found = verify(bearer);
    if (found !== undefined) return { ...found, groups: [...found.groups, 'system:authenticated'] };
  }
  return 'refused';
}

/** Browsers put the token of a WebSocket into a subprotocol. */
function protocolToken(request: IncomingMessage): string | undefined {
  const found = /base64url\.bearer\.authorization\.k8s\.io\.([\w-]+)/.exec(request.headers['sec-websocket-protocol'] ?? '')?.[1];
  return found === undefined ? undefined : Buffer.from(found, 'base64url').toString();
}

/** A verifier for fixed tokens. */
export function staticTokens(tokens: Readonly<Record<string, User>>): TokenVerifier {
  const known = Object.entries(tokens).map(([token, user]) => ({ token: Buffer.from(token), user }));
  return (given) => {
    const bytes = Buffer.from(given);
    return known.find(({ token }) => token.length === bytes.length && timingSafeEqual(token, bytes))?.user;
  };
}
