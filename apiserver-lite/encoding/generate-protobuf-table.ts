/**
 * Writes encoding/protobuf-table.json, the field table of the protobuf reader. Run by hand when the Kubernetes version changes:
 *
 *   node apiserver-lite/encoding/generate-protobuf-table.ts PROTOBUF.json K8S_API_DIR APIMACHINERY_DIR
 *
 * PROTOBUF.json holds message -> field -> { id, type, repeated, mapKey }. The two directories are the Go modules k8s.io/api and
 * k8s.io/apimachinery: only their struct tags say which fields are inlined in JSON, which have another JSON name, and which are
 * pointers. Pointers matter because Go writes zero values of plain fields to the wire, and only those may be dropped.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface SourceField { id: number; type: string; repeated?: boolean; mapKey?: string }
interface GoField { json: string; inline: boolean; pointer: boolean; omitEmpty: boolean }

const [protobufFile, apiDir, machineryDir] = process.argv.slice(2);
if (protobufFile === undefined || apiDir === undefined || machineryDir === undefined) {
  console.error('usage: generate-protobuf-table.ts PROTOBUF.json K8S_API_DIR APIMACHINERY_DIR');
  process.exit(2);
}

const { messages } = JSON.parse(readFileSync(protobufFile, 'utf8')) as { messages: Record<string, Record<string, SourceField>> };
const goStructs = new Map<string, Map<string, Map<string, GoField>>>();

/** k8s.io.api.core.v1 -> its Go structs: struct -> protobuf name -> JSON facts. */
function structsOf(packageName: string): Map<string, Map<string, GoField>> {
  const known = goStructs.get(packageName);
  if (known !== undefined) return known;
  const directory = packageName.startsWith('k8s.io.api.')
    ? join(apiDir ?? '', ...packageName.slice('k8s.io.api.'.length).split('.'))
    : join(machineryDir ?? '', ...packageName.slice('k8s.io.apimachinery.'.length).split('.'));
  const structs = new Map<string, Map<string, GoField>>();
  for (const file of ['types.go', 'intstr.go', 'quantity.go']) {
    const path = join(directory, file);
    if (existsSync(path)) readStructs(readFileSync(path, 'utf8'), structs);
  }
  goStructs.set(packageName, structs);
  return structs;
}

function readStructs(source: string, structs: Map<string, Map<string, GoField>>): void {
  let fields: Map<string, GoField> | undefined;
  for (const line of source.split('\n')) {
    const start = /^type (\w+) struct \{/.exec(line);
    if (start?.[1] !== undefined) structs.set(start[1], (fields = new Map<string, GoField>()));
    else if (line.startsWith('}')) fields = undefined;
    const match = /^\s+(?:(\w+)\s+)?(\S+)\s+`json:"([^"]*)".*?protobuf:"([^"]*)"/.exec(line);
    if (fields === undefined || match === null) continue;
    const [, , goType = '', json = '', protobuf = ''] = match;
    const [jsonName = '', ...options] = json.split(',');
    const named = /name=(\w+)/.exec(protobuf)?.[1] ?? goType.replace('*', '');
    fields.set(named.toLowerCase(), {
      json: jsonName, inline: options.includes('inline'), pointer: goType.startsWith('*'), omitEmpty: options.includes('omitempty'),
    });
  }
}

type Row = [id: number, json: string, type: string, flags: string];
const table: Record<string, Row[]> = {};
for (const [message, fields] of Object.entries(messages)) {
  const dot = message.lastIndexOf('.');
  const packageName = message.slice(0, dot);
  const struct = structsOf(packageName).get(message.slice(dot + 1));
  table[message] = Object.entries(fields).map(([name, field]) => {
    const go = struct?.get(name.toLowerCase());
    const type = /^[a-z]/.test(field.type) ? field.type : field.type.startsWith('.') ? field.type.slice(1) : `${packageName}.${field.type}`;
    const flags = [
      field.repeated === true ? 'r' : '', field.mapKey === undefined ? '' : 'm',
      go?.inline === true ? 'i' : '', go?.pointer === true || go?.omitEmpty === false ? 'k' : '',
    ].join('');
    return [field.id, go === undefined || go.json === '' ? name : go.json, type, flags];
  });
}

const output = join(import.meta.dirname, 'protobuf-table.json');
const body = Object.entries(table).map(([message, rows]) => `${JSON.stringify(message)}: ${JSON.stringify(rows)}`).join(',\n');
writeFileSync(output, `{\n${body}\n}\n`);
console.log(`${output}: ${Object.keys(table).length} messages`);
