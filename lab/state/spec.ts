// What a lab is: the options of `up`, completed and checked once, then kept in DIR/lab.json so that a second `up` means the same lab.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { LabError } from '../errors.ts';
import { overlap, parseRange, pickUnderlay, toAddress } from './subnets.ts';
import type { Range } from './subnets.ts';
import type { LabNames } from './names.ts';

const specSchema = z.object({
  version: z.literal(1),
  nodes: z.int().min(1).max(100),
  podCIDR: z.string(),
  serviceCIDR: z.string(),
  underlayCIDR: z.string(),
  apiPort: z.int().min(1).max(65_535),
  networkMode: z.enum(['vxlan', 'host-gw']),
  podInterface: z.enum(['bridge', 'ptp']),
  /** `dual`: pods, Services and nodes have IPv6 addresses beside their IPv4 ones. */
  ipFamily: z.enum(['ipv4', 'dual']).default('ipv4'),
  /** The engine in use: `private` when the lab started its own. */
  engine: z.object({ kind: z.enum(['private', 'foreign']), host: z.string() }).optional(),
});

export type LabSpec = Readonly<z.output<typeof specSchema>>;

/** The flags of `up`; what is not given is remembered from the first `up`, or the default. */
export interface UpOptions {
  readonly stateDir: string;
  readonly nodes?: number;
  readonly podCIDR?: string;
  readonly serviceCIDR?: string;
  readonly underlayCIDR?: string;
  readonly apiPort?: number;
  readonly networkMode?: 'vxlan' | 'host-gw';
  readonly podInterface?: 'bridge' | 'ptp';
  readonly ipFamily?: 'ipv4' | 'dual';
}

const flagOf = { podCIDR: '--pod-cidr', serviceCIDR: '--service-cidr', underlayCIDR: '--underlay-cidr', apiPort: '--api-port', networkMode: '--network-mode', podInterface: '--pod-interface', ipFamily: '--ip-family' } as const;

export function readSpec(names: LabNames): LabSpec | undefined {
  if (!existsSync(names.stateFile)) return undefined;
  const parsed = specSchema.safeParse(parseJson(readFileSync(names.stateFile, 'utf8')));
  if (!parsed.success) throw new LabError('ENOLAB', `${names.stateFile} cannot be read as a lab of this version; run: podwire down --state-dir ${names.stateDir}`);
  return parsed.data;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Written whole and renamed: a killed `up` leaves the old file or the new one. */
export function writeSpec(names: LabNames, spec: LabSpec): void {
  mkdirSync(dirname(names.stateFile), { recursive: true });
  const temporary = `${names.stateFile}.new`;
  writeFileSync(temporary, `${JSON.stringify(spec, null, 2)}\n`);
  renameSync(temporary, names.stateFile);
}

/** The lab that these options mean. `taken` are the ranges that the machine has routes to. Throws a LabError naming the flag. */
export function desiredSpec(id: string, options: UpOptions, previous: LabSpec | undefined, taken: readonly Range[]): LabSpec {
  if (previous !== undefined) {
    for (const key of Object.keys(flagOf) as (keyof typeof flagOf)[]) {
      const wanted = options[key];
      if (wanted !== undefined && wanted !== previous[key]) {
        throw new LabError('EUSAGE', `${flagOf[key]}: the lab in ${options.stateDir} was made with ${previous[key]}; run 'podwire down' first, or use another --state-dir`);
      }
    }
  }
  const nodes = options.nodes ?? previous?.nodes ?? 3;
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 100) throw new LabError('EUSAGE', `--nodes: ${nodes} is not a number from 1 to 100`);
  const apiPort = options.apiPort ?? previous?.apiPort ?? 6443;
  if (!Number.isInteger(apiPort) || apiPort < 1 || apiPort > 65_535) throw new LabError('EUSAGE', `--api-port: ${apiPort} is not a port from 1 to 65535`);
  const podCIDR = options.podCIDR ?? previous?.podCIDR ?? '10.244.0.0/16';
  const serviceCIDR = options.serviceCIDR ?? previous?.serviceCIDR ?? '10.96.0.0/16';
  const pods = parseRange('--pod-cidr', podCIDR, { min: 8, max: 22 });
  const services = parseRange('--service-cidr', serviceCIDR, { min: 12, max: 24 });
  if (overlap(pods, services)) throw new LabError('EUSAGE', `--pod-cidr ${podCIDR} and --service-cidr ${serviceCIDR} overlap; choose two that do not`);
  const underlayCIDR = options.underlayCIDR ?? previous?.underlayCIDR ?? pickUnderlay(id, [...taken, pods, services]);
  const underlay = parseRange('--underlay-cidr', underlayCIDR, { min: 16, max: 25 });
  for (const [flag, range] of [['--pod-cidr', pods], ['--service-cidr', services]] as const) {
    if (overlap(underlay, range)) throw new LabError('EUSAGE', `--underlay-cidr ${underlayCIDR} and ${flag} ${range.cidr} overlap; choose two that do not`);
  }
  const clash = previous === undefined ? taken.find((range) => overlap(range, underlay)) : undefined;
  if (clash !== undefined) throw new LabError('EUSAGE', `--underlay-cidr: the machine already has a route to ${clash.cidr}, which ${underlayCIDR} overlaps; choose another`);
  return {
    version: 1, nodes, podCIDR, serviceCIDR, underlayCIDR, apiPort,
    networkMode: options.networkMode ?? previous?.networkMode ?? 'vxlan',
    podInterface: options.podInterface ?? previous?.podInterface ?? 'bridge',
    ipFamily: options.ipFamily ?? previous?.ipFamily ?? 'ipv4',
    ...(previous?.engine === undefined ? {} : { engine: previous.engine }),
  };
}

/** Names of the lab's IPv6 networks: unique local ones, the same in every lab but for the underlay, which the machine sees. */
export const podCIDRv6 = 'fd00:10:244::/56';
export const serviceCIDRv6 = 'fd00:10:96::/112';

/** The networks of the pods, the first of the cluster's primary family. */
export const podCIDRs = ({ podCIDR, ipFamily }: LabSpec): readonly string[] => (ipFamily === 'dual' ? [podCIDR, podCIDRv6] : [podCIDR]);
export const serviceCIDRs = ({ serviceCIDR, ipFamily }: LabSpec): readonly string[] => (ipFamily === 'dual' ? [serviceCIDR, serviceCIDRv6] : [serviceCIDR]);

/** One address per family; an address with its prefix length is `address/prefix`. */
export interface UnderlayAddresses {
  readonly prefix: number;
  /** The machine's own address on the underlay, where the API server listens. */
  readonly gateway: string;
  readonly node: (index: number) => string;
  /** Addresses for Services of type LoadBalancer: the last of the underlay, which the machine routes to the nodes. */
  readonly loadBalancerCIDR: string;
  readonly v6: UnderlayV6 | undefined;
}

export interface UnderlayV6 {
  readonly prefix: number;
  readonly gateway: string;
  readonly node: (index: number) => string;
  readonly loadBalancerCIDR: string;
}

const loadBalancerPrefix = 27;

export function underlayAddresses(spec: LabSpec): UnderlayAddresses {
  const range = parseRange('--underlay-cidr', spec.underlayCIDR, { min: 16, max: 25 });
  return {
    prefix: Number(spec.underlayCIDR.split('/')[1]), gateway: toAddress(range.first + 1), node: (index) => toAddress(range.first + 10 + index),
    loadBalancerCIDR: `${toAddress(range.last + 1 - 2 ** (32 - loadBalancerPrefix))}/${loadBalancerPrefix}`,
    v6: spec.ipFamily === 'dual' ? underlayV6(range.first) : undefined,
  };
}

/** As unlikely to collide as the IPv4 underlay, whose numbers it carries. */
function underlayV6(first: number): UnderlayV6 {
  const network = `fd00:10:${(first >>> 16).toString(16)}:${(first & 0xffff).toString(16)}`;
  return { prefix: 64, gateway: `${network}::1`, node: (index) => `${network}::${(10 + index).toString(16)}`, loadBalancerCIDR: `${network}::f000/116` };
}
