import { createPublicKey, sign, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { objectKey } from '../cache/keys.ts';
import type { RestContext, User } from '../rest/context.ts';

export type BoundObject = Readonly<{ kind: string; apiVersion: string; name: string; uid: string }>;

export type TokenClaims = Readonly<{
  iss: string; sub: string; aud: readonly string[]; exp: number; iat: number; nbf: number; jti: string;
  'kubernetes.io': Readonly<{ namespace: string; serviceaccount: Readonly<{ name: string; uid: string }>; pod?: Readonly<{ name: string; uid: string }>; secret?: Readonly<{ name: string; uid: string }>; node?: Readonly<{ name: string; uid: string }> }>;
}>;

export const tokenIssuer = 'https://kubernetes.default.svc.cluster.local';

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT signed with ES256. */
export function signToken(privateKeyPem: string, claims: TokenClaims): string {
  const text = `${part({ alg: 'ES256', typ: 'JWT' })}.${part(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), { key: privateKeyPem, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'base64url').toString());
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function readClaims(key: KeyObject, token: string): TokenClaims | undefined {
  const [header = '', payload = '', signature = '', ...rest] = token.split('.');
  if (signature === '' || rest.length > 0 || (parse(header) as { alg?: string } | undefined)?.alg !== 'ES256') return undefined;
  const good = verify('sha256', Buffer.from(`${header}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
  return good ? parse(payload) as TokenClaims | undefined : undefined;
}

/**
 * A verifier of ServiceAccount tokens: signature, time, audience, and that the account, and the pod the
 * token is bound to, still exist. Deleting either revokes the token.
 */
export function serviceAccountTokens(context: RestContext, privateKeyPem: string): (token: string, audiences?: readonly string[]) => User | undefined {
  const key = createPublicKey(privateKeyPem);
  const uidOf = (resource: string, namespace: string, name: string): string | undefined =>
    context.cache.resource({ group: '', resource }).get(objectKey({ group: '', resource }, namespace, name))?.object.metadata.uid;
  return (token, audiences = [tokenIssuer]) => {
    const claims = readClaims(key, token);
    const nowSeconds = context.now() / 1000;
    if (claims === undefined || claims.iss !== tokenIssuer || claims.exp < nowSeconds || claims.nbf > nowSeconds + 60) return undefined;
    if (!claims.aud.some((audience) => audiences.includes(audience))) return undefined;
    const { namespace, serviceaccount, pod, secret } = claims['kubernetes.io'];
    if (uidOf('serviceaccounts', namespace, serviceaccount.name) !== serviceaccount.uid) return undefined;
    if (pod !== undefined && uidOf('pods', namespace, pod.name) !== pod.uid) return undefined;
    if (secret !== undefined && uidOf('secrets', namespace, secret.name) !== secret.uid) return undefined;
    return {
      name: claims.sub, uid: serviceaccount.uid, groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
      extra: { 'authentication.kubernetes.io/credential-id': [`JTI=${claims.jti}`], ...(pod && { 'authentication.kubernetes.io/pod-name': [pod.name], 'authentication.kubernetes.io/pod-uid': [pod.uid] }) },
    };
  };
}
