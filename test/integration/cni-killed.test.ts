// ADD by executable, killed (SIGKILL) after each thing that it does: what cleans up afterwards leaves nothing, whichever way.
import { listLinks, listRoutes, openRoute, unshareNetns } from '@podwire/netlink';
import test from 'ava';
import { join } from 'node:path';
import { installPlugins } from '../../cni/index.ts';
import { runPlugin } from '../../cni/plugins/run.ts';
import { TestBed, run, runExecutablePlugin } from '../../cni/testing/test-bed.ts';

unshareNetns();
run('/sbin/ip', 'link', 'set', 'lo', 'up');
const bed = new TestBed();
const bin = join(bed.folder, 'bin');
test.before(async () => { await installPlugins(bin); });
test.after.always(() => bed.close());

const netns = bed.namespace('kill');
const who = { CNI_CONTAINERID: 'c', CNI_NETNS: netns, CNI_IFNAME: 'eth0' };
const configOf = (mode: string, third: number): Readonly<Record<string, unknown>> => ({
  cniVersion: '1.1.0', name: `kill-${mode}`, type: 'podwire', mode, bridge: 'pw-kill', ipMasq: true, macspoofchk: mode === 'bridge',
  ipam: { type: 'host-local', dataDir: bed.dataDir, ranges: [[{ subnet: `10.85.${third}.0/24` }], [{ subnet: `fd85:${third}::/64` }]] },
  runtimeConfig: { portMappings: [{ hostPort: 7070, containerPort: 80, protocol: 'udp' }], bandwidth: { ingressRate: 1e6, ingressBurst: 1e6, egressRate: 1e6, egressBurst: 1e6 } },
});

/** The ways in which a runtime may clean up after an ADD that gave no answer. */
const cleanups: Readonly<Record<string, { readonly verb: string; readonly env: Readonly<Record<string, string>>; readonly more: object }>> = {
  'DEL without namespace': { verb: 'DEL', env: { ...who, CNI_NETNS: '' }, more: {} },
  GC: { verb: 'GC', env: {}, more: { 'cni.dev/valid-attachments': [] } },
};

/** Everything of an attachment that is there: links, host routes, rows, leases, interfaces in the container. */
function left(mode: string): readonly string[] {
  using host = openRoute();
  using pod = openRoute({ netns });
  const links = new Map(listLinks(host).map(({ index, name }) => [index, name]));
  const isOurs = (name: string | undefined): boolean => name !== undefined && /^pw-[0-9a-f]{12}$/.test(name);
  return [
    ...[...links.values()].filter(isOurs),
    ...listRoutes(host).filter(({ dev }) => isOurs(links.get(dev ?? 0))).map(({ to }) => `route ${to}`),
    ...run('/usr/sbin/nft', 'list', 'ruleset').split('\n').filter((line) => line.includes('comment')),
    ...bed.leases(`kill-${mode}`),
    ...listLinks(pod).map(({ name }) => name).filter((name) => name !== 'lo'),
  ];
}

for (const [mode, third] of [['bridge', 1], ['ptp', 2]] as const) {
  for (const [what, { verb, env, more }] of Object.entries(cleanups)) {
    test.serial(`${mode}: after an ADD that was killed at any step, ${what} leaves nothing`, async (t) => {
      const config = configOf(mode, third);
      for (let step = 1; ; step++) {
        const added = await runExecutablePlugin(join(bin, 'podwire'), { CNI_COMMAND: 'ADD', CNI_PATH: bin, ...who, PODWIRE_CNI_DIE_AFTER: String(step) }, config);
        const isKilled = added.code !== 0;
        t.is(added.stdout === '', isKilled, added.stdout);
        const cleaned = await runPlugin('podwire', { CNI_COMMAND: verb, CNI_PATH: bin, ...env }, () => JSON.stringify({ ...config, ...more }));
        t.deepEqual([cleaned.exitCode, cleaned.stdout], [0, ''], `step ${step}`);
        t.deepEqual(left(mode), [], `step ${step}`);
        if (isKilled) continue;
        t.true(step > 15, `${step} steps`);
        return;
      }
    });
  }
}
