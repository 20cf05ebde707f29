// The API server's content as plain maps, for property tests: apply a change, learn which Services it touches.
import type { EndpointSlice, Service } from '@podwire/kube-client';
import { desiredService } from '../core/desired.ts';
import type { DesiredService } from '../core/desired.ts';
import type { NodeInfo } from '../core/categorize.ts';
import { parseService } from '../core/service-info.ts';
import { parseSlice } from '../core/slice-info.ts';
import type { ClusterChange } from './arbitrary.ts';

export const NODE: NodeInfo = { name: 'node1', zone: undefined, ips: ['192.168.77.1'] };

export class World {
  readonly services = new Map<string, Service>();
  readonly slices = new Map<string, EndpointSlice>();

  apply(change: ClusterChange): string[] {
    switch (change.kind) {
      case 'service': {
        const key = `default/${change.object.metadata?.name ?? ''}`;
        this.services.set(key, change.object);
        return [key];
      }
      case 'slice': {
        const key = `default/${change.object.metadata?.name ?? ''}`;
        const before = this.#serviceOf(key);
        this.slices.set(key, change.object);
        return [...before, ...this.#serviceOf(key)];
      }
      case 'remove-service':
        this.services.delete(change.key);
        return [change.key];
      case 'remove-slice': {
        const before = this.#serviceOf(change.key);
        this.slices.delete(change.key);
        return before;
      }
    }
  }

  desired(key: string, family: 'ip' | 'ip6'): DesiredService | undefined {
    const object = this.services.get(key);
    const info = object === undefined ? undefined : parseService(object);
    const slices = [...this.slices.values()].filter((entry) => belongsTo(entry, key)).map(parseSlice).filter((entry) => entry !== undefined);
    return info === undefined ? undefined : desiredService(info, slices, family, NODE);
  }

  #serviceOf(key: string): string[] {
    const name = this.slices.get(key)?.metadata?.labels?.['kubernetes.io/service-name'];
    return name === undefined ? [] : [`default/${name}`];
  }
}

/** Cheap: the worlds of some tests have thousands of Services. */
function belongsTo({ metadata }: EndpointSlice, service: string): boolean {
  return `${metadata?.namespace ?? ''}/${metadata?.labels?.['kubernetes.io/service-name'] ?? ''}` === service;
}
