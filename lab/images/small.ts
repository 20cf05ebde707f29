// The two images without a story of their own.
import { busybox, tini, userland } from './machine-files.ts';
import { treeKey } from './tree.ts';
import type { Recipe } from './recipe.ts';
import type { Entry } from './tree.ts';

function simple(name: string, entries: () => readonly Entry[], changes: readonly string[]): Recipe {
  return { name, key: () => treeKey(name, entries()), entries: () => Promise.resolve(entries()), changes };
}

/**
 * Holds the namespaces of a pod or of a lab node. tini is process 1: it reaps what is re-parented to it and passes SIGTERM on,
 * so that the container ends at once when asked to.
 */
export const pause: Recipe = simple(
  'podwire/pause:1',
  () => [{ kind: 'file', path: 'sbin/tini', source: tini(), mode: 0o755 }, { kind: 'file', path: 'bin/busybox', source: busybox(), mode: 0o755 }],
  ['ENTRYPOINT ["/sbin/tini", "-s", "--", "/bin/busybox", "sleep", "2147483647"]'],
);

/** For looking around: `kubectl run -it --rm shell --image=podwire/busybox:1`. */
export const shell: Recipe = simple('podwire/busybox:1', userland, ['ENV PATH=/bin', 'CMD ["/bin/sh"]']);
