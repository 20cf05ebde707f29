// npm run peers: builds kube-apiserver and kube-proxy of one pinned release from source, into the cache; a second run finds them there.
// Go fetches the sources by its own means (GOPROXY, GOSUMDB). `npm test` does not need any of it.
//
//   npm run peers                      both programs: 50 minutes on two busy cores; 4 GB in the caches of Go itself
//   GOFLAGS=-p=1 nice npm run peers    while others work on the machine
//
// The module k8s.io/kubernetes cannot be installed as it is: it names its staging modules (k8s.io/api and so on) by folders that its
// published form lacks. They are published besides, v0.X for v1.X: the module written here puts those in their place.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KUBERNETES_VERSION, PEERS, peerPath, peersFolder } from './binaries.ts';

interface GoMod { readonly Go: string; readonly Replace: readonly { readonly Old: { readonly Path: string }; readonly New: { readonly Path: string } }[] | null }

const KUBERNETES = 'k8s.io/kubernetes';
const source = join(peersFolder, 'source');
const env = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/local/go/bin`, CGO_ENABLED: '0', GOFLAGS: `${process.env['GOFLAGS'] ?? ''} -buildvcs=false`.trim() };

/** Runs go in the folder of the module; its progress goes to the terminal, its output comes back. */
function go(args: readonly string[]): string {
  const { status, stdout, error } = spawnSync('go', args, { cwd: source, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 1 << 26 });
  if (error !== undefined) fail(`go cannot be started (${error.message}); install Go and put it on the PATH`);
  if (status !== 0) fail(`go ${args.join(' ')}: exit code ${status ?? 'none'}`);
  return stdout;
}

function fail(text: string): never {
  process.stderr.write(`peers: ${text}\n`);
  process.exit(2);
}

/** The text of a module that needs nothing but this release, with the staging modules at the versions that belong to it. */
export function moduleText(version: string, upstream: GoMod): string {
  const staging = (upstream.Replace ?? []).filter((line) => line.New.Path.startsWith('./staging/')).map((line) => line.Old.Path);
  const stagingVersion = version.replace(/^v1\./u, 'v0.');
  return `module podwire.dev/peers\n\ngo ${upstream.Go}\n\nrequire ${KUBERNETES} ${version}\n\nreplace (\n${staging.map((path) => `\t${path} => ${path} ${stagingVersion}\n`).join('')})\n`;
}

function build(): void {
  mkdirSync(source, { recursive: true });
  const file = join(source, 'go.mod');
  writeFileSync(file, 'module podwire.dev/peers\n');
  const { GoMod: upstream } = JSON.parse(go(['mod', 'download', '-json', `${KUBERNETES}@${KUBERNETES_VERSION}`])) as { GoMod: string };
  writeFileSync(file, moduleText(KUBERNETES_VERSION, JSON.parse(go(['mod', 'edit', '-json', upstream])) as GoMod));
  const [major = '', minor = ''] = KUBERNETES_VERSION.slice(1).split('.');
  const stamps = { gitVersion: KUBERNETES_VERSION, gitMajor: major, gitMinor: minor };
  const linker = ['-s', '-w', ...Object.entries(stamps).map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)].join(' ');
  for (const peer of PEERS) {
    if (existsSync(peerPath(peer))) continue;
    process.stdout.write(`peers: building ${peer} ${KUBERNETES_VERSION}\n`);
    go(['build', '-mod=mod', '-trimpath', '-ldflags', linker, '-o', `${peer}.new`, `${KUBERNETES}/cmd/${peer}`]);
    renameSync(join(source, `${peer}.new`), peerPath(peer));
  }
}

if (import.meta.main) {
  if (PEERS.some((peer) => !existsSync(peerPath(peer)))) build();
  for (const peer of PEERS) process.stdout.write(`${peerPath(peer)}\n`);
}
