// All that was observed of one probe, as a file: assembled again without a cluster, it gives the same trace. Pure.
import { z } from 'zod';
import { LabError } from '../../errors.ts';
import type { Trace } from '../model.ts';
import { assemble } from './assemble.ts';
import type { AssembleInput } from './assemble.ts';
import { recognise } from './identity.ts';
import { Directory } from './world.ts';
import type { World } from './world.ts';

export type Recording = Omit<AssembleInput, 'directory'> & { readonly world: World };

export function assembleRecording({ world, ...input }: Recording): Trace {
  return assemble({ ...input, directory: new Directory(world) });
}

const isBuffer = (value: object): value is { readonly type: 'Buffer'; readonly data: readonly number[] } => 'type' in value && value.type === 'Buffer' && 'data' in value && Array.isArray(value.data);

/** JSON has neither bigint nor bytes. */
function encodeValue(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return { $ns: value.toString() };
  return typeof value === 'object' && value !== null && isBuffer(value) ? { $hex: Buffer.from(value.data).toString('hex') } : value;
}

function decodeValue(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$ns' in value && typeof value.$ns === 'string') return BigInt(value.$ns);
  return '$hex' in value && typeof value.$hex === 'string' ? Buffer.from(value.$hex, 'hex') : value;
}

/** Of each object only what a trace asks of it. */
function slim({ pods, nodes, services, slices }: World): World {
  const labelled = ({ metadata }: { readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> } }): object => ({ name: metadata?.name, namespace: metadata?.namespace, labels: metadata?.labels });
  return {
    pods: pods.map((pod) => ({ metadata: labelled(pod), spec: { containers: [], ...(pod.spec?.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }), ...(pod.spec?.hostNetwork === true ? { hostNetwork: true } : {}) }, status: { phase: pod.status?.phase ?? '', podIP: pod.status?.podIP ?? '', podIPs: pod.status?.podIPs ?? [] } })),
    nodes: nodes.map((node) => ({ metadata: labelled(node), spec: { podCIDRs: node.spec?.podCIDRs ?? [] }, status: { addresses: node.status?.addresses ?? [] } })),
    services: services.map((service) => ({ metadata: labelled(service), spec: service.spec ?? {}, status: service.status ?? {} })),
    slices: slices.map((slice) => ({ metadata: labelled(slice), addressType: slice.addressType, endpoints: slice.endpoints, ports: slice.ports ?? [] })),
  };
}

/** The recording as text; traffic of others that was captured too is left out. */
export function saveRecording(recording: Recording): string {
  const { observed, key } = recording;
  const observations = observed.observations.filter(({ packet }) => recognise(packet, key) !== undefined).map((one) => ({ ...one, place: { kind: one.place.kind, name: one.place.name, ...(one.place.node === undefined ? {} : { node: one.place.node }) } }));
  const ports = new Set(observations.flatMap(({ packet }) => [packet.inner ?? packet].flatMap(({ sourcePort, destinationPort }) => [sourcePort, destinationPort])));
  const conntrack = observed.conntrack.filter(({ original }) => ports.has(original.sourcePort)).map(({ place, ...fact }) => ({ ...fact, place: { kind: place.kind, name: place.name } }));
  return `${JSON.stringify({ ...recording, world: slim(recording.world), observed: { ...observed, observations, conntrack } }, encodeValue, 1)}\n`;
}

const hop = z.looseObject({ n: z.number(), netns: z.string(), stage: z.string(), device: z.string(), before: z.string(), why: z.string(), command: z.string(), atMs: z.number() });
const traceShape = z.looseObject({ verdict: z.enum(['DELIVERED', 'DROPPED', 'REJECTED', 'LOST']), from: z.string(), to: z.string(), where: z.string(), reason: z.string(), latencyMs: z.number(), hops: z.array(hop), reply: z.array(hop), predicted: z.looseObject({ text: z.string(), outcome: z.string() }), agrees: z.boolean(), notes: z.array(z.string()) });
const recordingShape = z.looseObject({ observed: z.looseObject({ observations: z.array(z.unknown()), rules: z.array(z.unknown()), probe: z.unknown() }), world: z.looseObject({ pods: z.array(z.unknown()) }), key: z.looseObject({ protocol: z.enum(['tcp', 'udp']) }) });

/** A trace from its file: one saved with `-o json`, or a recording, which is assembled anew. */
export function replay(text: string, name: string): Trace {
  let value: unknown;
  try {
    value = JSON.parse(text, decodeValue);
  } catch (error) {
    throw new LabError('EUSAGE', `${name} is not JSON: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
  if (recordingShape.safeParse(value).success) return assembleRecording(value as Recording);
  if (traceShape.safeParse(value).success) return value as Trace;
  throw new LabError('EUSAGE', `${name} is not a saved trace; save one with: podwire trace FROM TO -o json > ${name}`);
}
