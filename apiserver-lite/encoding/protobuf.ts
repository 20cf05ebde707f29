import { DecodeError } from './decode-error.ts';
import table from './protobuf-table.json' with { type: 'json' };
import { wireFields, malformed } from './wire.ts';
import type { WireField } from './wire.ts';

type JsonObject = Record<string, unknown>;
type Row = readonly [id: number, json: string, type: string, flags: string];

const META = 'k8s.io.apimachinery.pkg.apis.meta.v1.';
const QUANTITY = 'k8s.io.apimachinery.pkg.api.resource.Quantity';
const INT_OR_STRING = 'k8s.io.apimachinery.pkg.util.intstr.IntOrString';
const RAW_EXTENSION = 'k8s.io.apimachinery.pkg.runtime.RawExtension';
const MAGIC = [0x6b, 0x38, 0x73, 0x00] as const; // "k8s\0"
const MAX_DEPTH = 100;

const messages = new Map<string, ReadonlyMap<number, Row>>();

function rowsOf(message: string): ReadonlyMap<number, Row> {
  let rows = messages.get(message);
  if (rows === undefined) {
    const source = (table as unknown as Readonly<Record<string, readonly Row[]>>)[message];
    if (source === undefined) throw new DecodeError('UnsupportedMediaType', `no protobuf message ${message} is known; send JSON`);
    messages.set(message, (rows = new Map(source.map((row) => [row[0], row]))));
  }
  return rows;
}

/**
 * The object in Kubernetes' protobuf envelope: magic, then runtime.Unknown {typeMeta, raw}.
 *
 * Go writes zero values of fields that are not pointers; a JSON client would have left them out, so they are dropped here, and
 * the table's flag `k` marks the fields (pointers, and those without omitempty) whose zero means something: `replicas: 0`.
 */
export function decodeProtobuf(body: Uint8Array): unknown {
  if (!MAGIC.every((byte, index) => body[index] === byte)) throw malformed('it does not start with the magic bytes "k8s\\0"');
  const { apiVersion, kind, raw, contentType } = readEnvelope(body.subarray(MAGIC.length));
  const object = contentType === 'application/json' ? parseJson(raw) : readMessage(messageOf(apiVersion, kind), raw, 0);
  return { kind, apiVersion, ...(object as JsonObject) };
}

type Envelope = { apiVersion: string; kind: string; raw: Uint8Array; contentType: string };

/** runtime.Unknown: 1 typeMeta {1 apiVersion, 2 kind}, 2 raw, 3 contentEncoding, 4 contentType. */
function readEnvelope(bytes: Uint8Array): Envelope {
  const envelope: Envelope = { apiVersion: '', kind: '', raw: new Uint8Array(), contentType: '' };
  for (const field of wireFields(bytes)) {
    if (field.id === 2) envelope.raw = field.bytes ?? envelope.raw;
    else if (field.id === 4) envelope.contentType = text(field);
    else if (field.id === 1) {
      for (const part of wireFields(field.bytes ?? new Uint8Array())) {
        if (part.id === 1) envelope.apiVersion = text(part);
        else if (part.id === 2) envelope.kind = text(part);
      }
    }
  }
  return envelope;
}

/** apps/v1 Deployment -> k8s.io.api.apps.v1.Deployment; DeleteOptions and the like live in meta under every group. */
function messageOf(apiVersion: string, kind: string): string {
  const [first = '', second] = apiVersion.split('/');
  const group = second === undefined ? 'core' : (first.split('.')[0] ?? '');
  const own = `k8s.io.api.${group}.${second ?? first}.${kind}`;
  if (own in table) return own;
  const meta = `${META}${kind}`;
  if (meta in table) return meta;
  throw new DecodeError('UnsupportedMediaType', `no protobuf form of ${kind} in ${apiVersion} is known; send JSON`);
}

function readMessage(message: string, bytes: Uint8Array, depth: number): unknown {
  if (depth > MAX_DEPTH) throw malformed(`messages are nested more than ${MAX_DEPTH} deep`);
  const rows = rowsOf(message);
  const object: JsonObject = {};
  for (const field of wireFields(bytes)) {
    const row = rows.get(field.id);
    if (row !== undefined) readField(object, row, field, depth);
  }
  return object;
}

function readField(object: JsonObject, [, json, type, flags]: Row, field: WireField, depth: number): void {
  if (flags.includes('m')) {
    const [key, value] = readMapEntry(type, field, depth);
    setOwn((object[json] ??= {}) as JsonObject, key, value);
    return;
  }
  const value = readValue(type, field, depth);
  if (flags.includes('r')) {
    ((object[json] ??= []) as unknown[]).push(value);
  } else if (flags.includes('i')) {
    Object.assign(object, value);
  } else if (value !== undefined && (flags.includes('k') || !isZero(value))) {
    object[json] = value;
  }
}

/** Zero of a plain scalar. A struct that is not a pointer stays: JSON clients send `resources: {}` too. */
function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}

/** A map is a repeated message {1: key, 2: value}; an absent value is the zero of its type. */
function readMapEntry(type: string, field: WireField, depth: number): [string, unknown] {
  let key = '';
  let value: WireField = { id: 2, varint: 0, bytes: new Uint8Array() };
  for (const part of wireFields(field.bytes ?? new Uint8Array())) {
    if (part.id === 1) key = text(part);
    else if (part.id === 2) value = part;
  }
  return [key, readValue(type, value, depth)];
}

/** Keys come from the client: `__proto__` must become a key, not the prototype. */
function setOwn(target: JsonObject, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
}

function readValue(type: string, field: WireField, depth: number): unknown {
  switch (type) {
    case 'string':
      return text(field);
    case 'bool':
      return field.varint !== 0;
    case 'int32':
    case 'int64':
      return field.varint;
    case 'bytes':
      return Buffer.from(field.bytes ?? []).toString('base64');
    case QUANTITY:
      return (readMessage(type, field.bytes ?? new Uint8Array(), depth + 1) as { string?: string }).string ?? '0';
    case INT_OR_STRING:
      return intOrString(field.bytes);
    case RAW_EXTENSION:
    case `${META}FieldsV1`:
      return embedded(field.bytes);
    case `${META}Time`:
      return time(field.bytes, 0);
    case `${META}MicroTime`:
      return time(field.bytes, 6);
    default:
      return unwrapItems(type, readMessage(type, field.bytes ?? new Uint8Array(), depth + 1));
  }
}

/** Named slice types (ExtraValue, Verbs) are messages on the wire and arrays in JSON. */
function unwrapItems(type: string, value: unknown): unknown {
  return type.endsWith('.ExtraValue') || type === `${META}Verbs` ? ((value as { items?: unknown[] }).items ?? []) : value;
}

function text(field: WireField): string {
  return Buffer.from(field.bytes ?? []).toString('utf8');
}

function intOrString(bytes: Uint8Array | undefined): string | number {
  let isString = false;
  let number = 0;
  let string = '';
  for (const field of wireFields(bytes ?? new Uint8Array())) {
    if (field.id === 1) isString = field.varint === 1;
    else if (field.id === 2) number = field.varint;
    else if (field.id === 3) string = text(field);
  }
  return isString ? string : number;
}

/** RawExtension and FieldsV1 hold one bytes field 1: JSON, or an object in the envelope again. */
function embedded(bytes: Uint8Array | undefined): unknown {
  for (const field of wireFields(bytes ?? new Uint8Array())) {
    if (field.id !== 1 || field.bytes === undefined || field.bytes.length === 0) continue;
    return MAGIC.every((byte, index) => field.bytes?.[index] === byte) ? decodeProtobuf(field.bytes) : parseJson(field.bytes);
  }
  return undefined;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw new DecodeError('BadRequest', `an embedded object is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Go's zero time is an empty message: absent in JSON. */
function time(bytes: Uint8Array | undefined, digits: 0 | 6): string | undefined {
  if (bytes === undefined || bytes.length === 0) return undefined;
  let seconds = 0;
  let nanos = 0;
  for (const field of wireFields(bytes)) {
    if (field.id === 1) seconds = field.varint;
    else if (field.id === 2) nanos = field.varint;
  }
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw malformed(`${seconds} is no time`);
  const whole = date.toISOString().slice(0, 19);
  return digits === 0 ? `${whole}Z` : `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`;
}
