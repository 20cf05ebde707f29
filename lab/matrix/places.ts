/** Where a probe starts. */
export type Place =
  | { readonly kind: 'pod'; readonly namespace: string; readonly name: string; readonly node: string }
  | { readonly kind: 'node'; readonly name: string }
  /** The machine that runs the matrix: outside the cluster. */
  | { readonly kind: 'outside' };

/** How to run a program at a place: the one thing that a lab, a set of VMs and a foreign cluster do differently. */
export interface Places {
  /** The full argv that runs the probe with `args` there: `['/usr/bin/nsenter', ..., 'client']`. Its standard input and output are the caller's. */
  command(place: Place, args: readonly string[]): Promise<readonly string[]>;
  /** Addresses of the machine as the nodes see it, one per family; empty when they cannot reach it. */
  readonly outsideAddresses: readonly string[];
  /** Cuts a node off from all others, as if it had lost its power; what it returns heals it. Absent: it cannot be done here. */
  readonly cutNode?: (node: string) => Promise<() => Promise<void>>;
  /** kill -9 of a pod's first process. Absent: it cannot be done here. */
  readonly killPod?: (namespace: string, name: string) => Promise<void>;
}

/** `pod default/web-1`, `node node1`, `outside`: how reports name a place. */
export function placeName(place: Place): string {
  switch (place.kind) {
    case 'pod': return `pod ${place.namespace}/${place.name}`;
    case 'node': return `node ${place.name}`;
    case 'outside': return 'outside';
  }
}
