// A lab with the matrix's probe pods, in which traces are made in-process; for the tests of trace, faults and walkthroughs.
import { existingLab, LabError } from '@podwire/lab';
import type { Lab } from '@podwire/lab';
import { resources } from '@podwire/kube-client';
import type { Pod, Service } from '@podwire/kube-client';
import { adminClient } from '../../lab/cluster/client.ts';
import { ensureWorkload } from '../../lab/matrix/workload.ts';
import { traceLab } from '../../lab/trace/index.ts';
import type { Trace, TraceOptions } from '../../lab/trace/index.ts';
import { eventually } from '../helpers/poll.ts';
import { TestLab } from './lab.ts';

export const NAMESPACE = 'podwire-matrix';
export const pod = (node: 1 | 2 | 3, turn: 'a' | 'b' = 'a'): string => `${NAMESPACE}/probe-node${node}-${turn}`;
export const service = (name: string): string => `svc/${NAMESPACE}/${name}`;

export class TraceScene {
  readonly lab = new TestLab();

  /** The lab as its commands see it. */
  get handle(): Lab {
    const lab = existingLab(this.lab.stateDir);
    if (lab === undefined) throw new LabError('ENOLAB', 'the test has not brought its lab up');
    return lab;
  }

  async up(args: readonly string[] = []): Promise<void> {
    await this.lab.up(args);
    const client = adminClient(this.lab.names);
    try {
      await ensureWorkload(client);
    } finally {
      client.close();
    }
    await this.delivered(pod(1), service('on-node2'));
  }

  trace(from: string, to: string, options: Partial<TraceOptions> = {}): Promise<Trace> {
    return traceLab(this.handle, { from, to, protocol: 'tcp', timeoutMs: 700, ...options });
  }

  /** The trace that says so: what was put right in the API reaches the nodes a moment later. */
  async delivered(from: string, to: string, options: Partial<TraceOptions> = {}): Promise<Trace> {
    let last = '';
    return eventually(`${from} -> ${to} delivered`, async () => {
      const trace = await this.trace(from, to, options);
      if (trace.verdict === 'DELIVERED') return trace;
      last = `${trace.verdict} at ${trace.where}: ${trace.reason}`;
      throw new Error(last);
    }, { timeoutMs: 30_000 });
  }

  async create(objects: readonly (Pod | Service)[]): Promise<void> {
    await this.lab.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  }

  async get<T>(read: (client: ReturnType<typeof adminClient>) => Promise<T>): Promise<T> {
    const client = adminClient(this.lab.names);
    try {
      return await read(client);
    } finally {
      client.close();
    }
  }

  podIP(name: string): Promise<string> {
    const [namespace = '', podName = ''] = name.split('/');
    return this.get(async (client) => (await client.get(resources.pods, { namespace, name: podName })).status?.podIP ?? '');
  }
}
