import { LabError } from '../errors.ts';
import { probeBundle } from '../probe/bundle.ts';
import { PROBE_IN_IMAGE } from '../probe/image.ts';
import type { Places } from './places.ts';

export interface KubectlPlacesOptions {
  readonly kubeconfig: string;
  readonly kubectl?: string;
  /** This machine as the nodes see it. */
  readonly outsideAddresses?: readonly string[];
  /** argv before the probe's own for a node: `['vagrant', 'ssh', NAME, '--']`; the probe's bundle must lie at `probePath` there. */
  readonly onNode?: { readonly prefix: (node: string) => readonly string[]; readonly probe: readonly string[] };
}

/** Any cluster: pods through `kubectl exec`, nodes through whatever reaches them. */
export async function kubectlPlaces(options: KubectlPlacesOptions): Promise<Places> {
  const host = [process.execPath, await probeBundle()];
  return {
    outsideAddresses: options.outsideAddresses ?? [],
    // eslint-disable-next-line @typescript-eslint/require-await
    async command(place, args) {
      if (place.kind === 'outside') return [...host, ...args];
      if (place.kind === 'pod') return [options.kubectl ?? '/usr/bin/kubectl', `--kubeconfig=${options.kubeconfig}`, '--namespace', place.namespace, 'exec', '--stdin', place.name, '--', ...PROBE_IN_IMAGE, ...args];
      if (options.onNode === undefined) throw new LabError('EUSAGE', `nothing says how to run a program on node ${place.name}; leave node cells out with --filter 'from!~node'`);
      return [...options.onNode.prefix(place.name), ...options.onNode.probe, ...args];
    },
  };
}
