import { randomUUID } from 'node:crypto';
import type { Attributes, Authorizer } from '../auth/authorize.ts';
import { tokenIssuer, signToken } from '../auth/service-account-tokens.ts';
import type { TokenClaims } from '../auth/service-account-tokens.ts';
import type { Call, CallHandler } from '../http/call.ts';
import { targetOf } from '../http/resource-handler.ts';
import { sendAnswer } from '../http/respond.ts';
import { badRequest, conflictError, invalidError, methodNotAllowed } from '../http/status-error.ts';
import { rulesFor } from '../rbac/rbac.ts';
import type { ApiObject } from '../registry/definition.ts';
import type { RestContext, User } from '../rest/context.ts';
import { decodeObject } from '../rest/decode.ts';
import { timestamp } from '../rest/metadata.ts';
import { existing } from '../rest/write.ts';

export type Verify = (token: string, audiences?: readonly string[]) => User | undefined;

export type ReviewOptions = Readonly<{ authorize: Authorizer; verify: Verify; serviceAccountKey: string; everythingAllowed: boolean }>;

type ResourceAttributes = { namespace?: string; verb?: string; group?: string; resource?: string; subresource?: string; name?: string };
type AccessSpec = { resourceAttributes?: ResourceAttributes; nonResourceAttributes?: { path?: string; verb?: string }; user?: string; groups?: string[]; uid?: string };

const userInfo = ({ name, uid, groups, extra }: User): object => ({ username: name, ...(uid !== undefined && { uid }), groups, ...(extra && { extra }) });

async function review(call: Call, answer: (object: ApiObject) => unknown): Promise<void> {
  if (call.request.method !== 'POST') throw methodNotAllowed();
  const object = decodeObject(call.definition, call.contentType, await call.body(), call.options);
  object['status'] = answer(object);
  object.metadata = { ...object.metadata, creationTimestamp: null };
  return sendAnswer(call.request, call.response, { code: 201, json: JSON.stringify(object), warnings: call.options.warnings });
}

function attributesOf({ resourceAttributes: wanted, nonResourceAttributes: path }: AccessSpec, kind: string): Attributes {
  if ((wanted === undefined) === (path === undefined)) {
    throw invalidError({ group: 'authorization.k8s.io', plural: '', kind }, '', [{ type: 'Invalid', field: 'spec.resourceAttributes', badValue: wanted ?? null, detail: 'exactly one of nonResourceAttributes or resourceAttributes must be specified' }]);
  }
  if (wanted === undefined) return { verb: path?.verb ?? '', path: path?.path ?? '' };
  const filled = Object.entries(wanted).filter(([, value]) => value !== '');
  return { verb: '', resource: '', ...Object.fromEntries(filled) };
}

/** Handlers by `group/plural`, and the token subresource. */
export function reviewHandlers({ authorize, verify, serviceAccountKey, everythingAllowed }: ReviewOptions): { virtual: [string, CallHandler][]; token: CallHandler } {
  const access = (self: boolean): CallHandler => (call) => review(call, (object) => {
    const spec = (object['spec'] ?? {}) as AccessSpec;
    const user: User = self ? call.user : { name: spec.user ?? '', groups: spec.groups ?? [], ...(spec.uid !== undefined && { uid: spec.uid }) };
    const { allowed, reason } = authorize(user, attributesOf(spec, object.kind));
    return { allowed, ...(reason !== '' && { reason }) };
  });
  return {
    virtual: [
      ['authentication.k8s.io/selfsubjectreviews', (call) => review(call, () => ({ userInfo: userInfo(call.user) }))],
      ['authentication.k8s.io/tokenreviews', (call) => review(call, (object) => {
        const { token = '', audiences } = (object['spec'] ?? {}) as { token?: string; audiences?: string[] };
        const user = verify(token, audiences);
        if (user === undefined) return { authenticated: false, user: {}, error: 'invalid bearer token' };
        return { authenticated: true, user: userInfo({ ...user, groups: [...user.groups, 'system:authenticated'] }), audiences: audiences ?? [tokenIssuer] };
      })],
      ['authorization.k8s.io/selfsubjectaccessreviews', access(true)],
      ['authorization.k8s.io/subjectaccessreviews', access(false)],
      ['authorization.k8s.io/localsubjectaccessreviews', access(false)],
      ['authorization.k8s.io/selfsubjectrulesreviews', (call) => review(call, (object) => {
        const { namespace } = (object['spec'] ?? {}) as { namespace?: string };
        const rules = everythingAllowed || call.user.groups.includes('system:masters')
          ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }]
          : rulesFor(call.context, call.user, namespace);
        return { resourceRules: rules.filter((rule) => 'resources' in rule), nonResourceRules: rules.filter((rule) => 'nonResourceURLs' in rule), incomplete: false };
      })],
    ],
    token: (call) => issueToken(call, serviceAccountKey),
  };
}

const minSeconds = 600;
const defaultSeconds = 3600;
const tokenRequest = { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest', schema: 'io.k8s.api.authentication.v1.TokenRequest' };

type TokenSpec = { audiences?: string[]; expirationSeconds?: number; boundObjectRef?: { kind?: string; name?: string; uid?: string } };

/** POST `.../serviceaccounts/NAME/token` */
async function issueToken(call: Call, key: string): Promise<void> {
  if (call.request.method !== 'POST') throw methodNotAllowed();
  const account = existing(call.context, targetOf(call, undefined)).object;
  const object = decodeObject(tokenRequest, call.contentType, await call.body(), call.options);
  const spec = (object['spec'] ?? {}) as TokenSpec;
  const seconds = spec.expirationSeconds ?? defaultSeconds;
  if (seconds < minSeconds) throw invalidError({ ...tokenRequest, plural: '' }, '', [{ type: 'Invalid', field: 'spec.expirationSeconds', badValue: seconds, detail: 'may not specify a duration less than 10 minutes' }]);
  const nowSeconds = Math.floor(call.context.now() / 1000);
  const { name, namespace = '', uid = '' } = account.metadata;
  const audiences = (spec.audiences ?? []).length > 0 ? spec.audiences ?? [] : [tokenIssuer];
  const claims: TokenClaims = {
    iss: tokenIssuer, sub: `system:serviceaccount:${namespace}:${name}`, aud: audiences, exp: nowSeconds + seconds, iat: nowSeconds, nbf: nowSeconds, jti: randomUUID(),
    'kubernetes.io': { namespace, serviceaccount: { name, uid }, ...boundTo(call.context, namespace, spec.boundObjectRef) },
  };
  const answer = { ...object, metadata: { name, namespace, creationTimestamp: timestamp(call.context.now()) }, spec: { ...spec, audiences, expirationSeconds: seconds }, status: { token: signToken(key, claims), expirationTimestamp: timestamp(claims.exp * 1000) } };
  return sendAnswer(call.request, call.response, { code: 201, json: JSON.stringify(answer) });
}

function boundTo(context: RestContext, namespace: string, wanted: TokenSpec['boundObjectRef']): object {
  if (wanted === undefined) return {};
  const { kind = '', name = '' } = wanted;
  const plural = { Pod: 'pods', Secret: 'secrets', Node: 'nodes' }[kind];
  const definition = plural === undefined ? undefined : context.registry.find('', 'v1', plural);
  if (definition === undefined) throw badRequest(`cannot bind token for serviceaccount: a token can be bound to a Pod, a Secret or a Node, not to a ${kind}`);
  const { uid = '' } = existing(context, { definition, namespace, name }).object.metadata;
  if (wanted.uid !== undefined && wanted.uid !== '' && wanted.uid !== uid) throw conflictError(definition, name, `the UID in the bound object reference (${wanted.uid}) does not match the UID in record. The object might have been deleted and then recreated`);
  return { [kind.toLowerCase()]: { name, uid } };
}
