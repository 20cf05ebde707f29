/**
 * Request bodies to plain objects: JSON, YAML and the protobuf envelope that kubectl 1.32 and client-go send.
 * Pure: bytes in, object out; a DecodeError carries the HTTP status to answer.
 */
import type { DecodedBody } from './decoded-body.ts';
import { parseJsonStrict } from './json-strict.ts';
import { DecodeError } from './decode-error.ts';
import { decodeProtobuf } from './protobuf.ts';
import { parseYamlStrict } from './yaml-strict.ts';

export type { DecodedBody } from './decoded-body.ts';
export { DecodeError } from './decode-error.ts';
export { parseJsonStrict } from './json-strict.ts';
export { parseYamlStrict } from './yaml-strict.ts';
export { decodeProtobuf } from './protobuf.ts';

export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

export type EncodedBody = Readonly<{
  /** Content-Type header; empty means JSON, as for the real API server. */
  contentType: string;
  body: Uint8Array;
}>;

/** Media types a body may have, as a 415 names them. */
export const BODY_TYPES = ['application/json', 'application/yaml', PROTOBUF_TYPE] as const;

const YAML_TYPES = new Set(['application/yaml', 'application/apply-patch+yaml', 'text/yaml', 'application/x-yaml']);

/** The object in a body, and the keys given twice. Throws DecodeError (400 malformed, 415 unknown media type). */
export function decodeBody({ contentType, body }: EncodedBody): DecodedBody {
  const mediaType = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (mediaType === PROTOBUF_TYPE) return { object: decodeProtobuf(body), duplicates: [] };
  const text = new TextDecoder().decode(body);
  if (YAML_TYPES.has(mediaType)) return parseYamlStrict(text);
  if (mediaType === '' || mediaType === 'application/json' || mediaType.endsWith('+json')) return parseJsonStrict(text);
  throw new DecodeError('UnsupportedMediaType', `the body of the request was in an unknown format (${mediaType}) - accepted media types include: ${BODY_TYPES.join(', ')}`);
}
