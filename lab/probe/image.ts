import { nodeRuntime, tini, userland } from '../images/machine-files.ts';
import { treeKey } from '../images/tree.ts';
import type { Recipe } from '../images/recipe.ts';
import { probeBundle, probeKey } from './bundle.ts';

export const PROBE_IMAGE = 'podwire/probe:1';
/** The probe inside its image; arguments follow. */
export const PROBE_IN_IMAGE = ['/bin/node', '/probe.cjs'] as const;

/** Node and the probe's one file; without arguments it serves on 8080. tini passes SIGTERM on and reaps. */
export const probeRecipe: Recipe = {
  name: PROBE_IMAGE,
  key: () => treeKey(`${PROBE_IMAGE} ${probeKey()}`, [...userland(), { kind: 'file', path: 'bin/node', source: process.execPath, mode: 0o755 }]),
  entries: async () => [
    ...userland(),
    ...(await nodeRuntime()),
    { kind: 'file', path: 'sbin/tini', source: tini(), mode: 0o755 },
    { kind: 'file', path: 'probe.cjs', source: await probeBundle(), mode: 0o644 },
  ],
  changes: ['ENV PATH=/bin', 'EXPOSE 8080/tcp', 'EXPOSE 8080/udp', `ENTRYPOINT ["/sbin/tini", "--", "${PROBE_IN_IMAGE[0]}", "${PROBE_IN_IMAGE[1]}"]`, 'CMD ["server"]'],
};
