import type { Plugin } from 'esbuild';
import { chmodSync, copyFileSync, existsSync, mkdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants as osConstants } from 'node:os';
import { dirname, join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { plugins } from './plugins/run.ts';

/** The names under which the plugin is installed: its own, and those of the reference plugins that it stands in for. */
export const pluginNames: readonly string[] = Object.keys(plugins);

/**
 * Makes `dir` a CNI_PATH: one small launcher per name, and `.podwire/` with the bundled program, its code cache and
 * the native part of koffi. Anew each time; a runtime that calls a plugin meanwhile meets the old or the new one. Returns the names.
 *
 * The launchers name this project's Node by its path: install again when the project moves.
 */
export async function installPlugins(dir: string): Promise<readonly string[]> {
  mkdirSync(dir, { recursive: true });
  const home = join(realpathSync(dir), '.podwire');
  const fresh = `${home}.${process.pid}`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh);
  await bundle(join(fresh, 'cni.cjs'));
  writeFileSync(join(fresh, 'start.cjs'), startProgram);
  writeFileSync(join(fresh, 'ask.bash'), askProgram);
  copyNative(join(fresh, 'koffi.node'));
  const old = `${home}.old-${process.pid}`;
  if (existsSync(home)) {
    // An agent that serves these goes on serving the new ones.
    if (existsSync(join(home, 'agent'))) copyFileSync(join(home, 'agent'), join(fresh, 'agent'));
    renameSync(home, old);
  }
  renameSync(fresh, home);
  rmSync(old, { recursive: true, force: true });
  for (const name of pluginNames) writeLauncher(join(dirname(home), name), home, name);
  warmUp(join(dirname(home), 'podwire'), home);
  return pluginNames;
}

/**
 * Runs the bundle with V8's code cache. Node's own compile cache holds a module as it was before anything of it ran, so
 * nearly every function of an ADD would be compiled anew; this one is written after every verb ran once (`--warm-up`).
 * A cache of another Node, or one written under other flags, is refused by V8 and costs nothing but its use.
 */
const startProgram = `'use strict';
const { readFileSync, writeFileSync } = require('node:fs');
const { Script } = require('node:vm');
const at = (name) => __dirname + '/' + name;
const isWarmUp = process.argv[2] === '--warm-up';
let cachedData;
try { cachedData = isWarmUp ? undefined : readFileSync(at('cni.cache')); } catch { /* slower without it */ }
const script = new Script(readFileSync(at('cni.cjs'), 'latin1'), { filename: at('cni.cjs'), cachedData });
script.runInThisContext()(require, module, exports, __dirname);
if (isWarmUp) process.on('exit', () => writeFileSync(at('cni.cache'), script.createCachedData()));
`;

/**
 * Asks the agent (`plugins/serve.ts`), where one runs: bash starts in a tenth of Node's time and can speak TCP, which sh cannot.
 * Whatever goes wrong on the way, the launcher does the call itself.
 */
const askProgram = `launcher=$1
name=$2
export PODWIRE_CNI_AGENT=no
LC_ALL=C
trap '' PIPE
read -r port token 2>/dev/null < "\${0%/*}/agent" || exec "$launcher"
{ exec 3<>"/dev/tcp/127.0.0.1/$port"; } 2>/dev/null || exec "$launcher"
IFS= read -r -d '' input
printf '%s\\0' "$token" "$name" "$CNI_COMMAND" "$CNI_CONTAINERID" "$CNI_NETNS" "$CNI_IFNAME" "$CNI_ARGS" "$CNI_PATH" "$input" >&3 2>/dev/null
if IFS= read -r -d '' code <&3 && IFS= read -r -d '' out <&3 && IFS= read -r -d '' err <&3; then
  printf %s "$err" >&2
  printf %s "$out"
  exit "$code"
fi
exec 3>&-
printf %s "$input" | "$launcher"
`;

/**
 * What pays in a server is lost in a call of some milliseconds: compilers that would make hot code faster, and threads
 * for them and for the collector. `--no-rehash-snapshot` keeps the order of V8's own tables as built (a guard against
 * crafted keys from strangers; here the runtime alone gives input) and saves a tenth of Node's start.
 */
const nodeFlags = ['--no-opt', '--no-sparkplug', '--no-maglev', '--single-threaded', '--no-rehash-snapshot'];

async function bundle(outfile: string): Promise<void> {
  const { build } = await import('esbuild');
  await build({
    entryPoints: [join(import.meta.dirname, 'plugin-entry.ts')], outfile,
    bundle: true, platform: 'node', target: 'node24', format: 'cjs', minify: true, logLevel: 'error', plugins: [startFast],
    banner: { js: '(function (require, module, exports, __dirname) {' }, footer: { js: '})' },
    // Only the subscriptions of the agent start a worker by URL; no plugin does.
    logOverride: { 'empty-import-meta': 'silent' },
  });
}

/**
 * Most calls need few of the built-in modules that the code names: each is loaded when first used (`node:crypto` alone
 * would double the time of a call). koffi's native part is loaded without its wrapper, which looks for the right one.
 */
const startFast: Plugin = {
  name: 'start-fast',
  setup: (bundler) => {
    bundler.onResolve({ filter: /^(node:.*|koffi)$/ }, ({ path }) => ({ path, namespace: 'start-fast', sideEffects: false }));
    bundler.onLoad({ filter: /.*/, namespace: 'start-fast' }, async ({ path }) => ({ loader: 'js', contents: instead[path] ?? lazyBuiltin(path, await import(path) as Readonly<Record<string, unknown>>) }));
  },
};

const instead: Readonly<Record<string, string>> = {
  // The native part is loaded, and each function of it declared, when it is first called.
  koffi: `let native;
    const structs = [];
    const real = () => {
      if (native !== undefined) return native;
      const library = { exports: {} };
      process.dlopen(library, __dirname + "/koffi.node");
      native = library.exports;
      for (const each of structs) native.struct(...each);
      return native;
    };
    const declare = (library, definition) => {
      let made;
      const func = () => made ??= real().load(library).func(definition);
      const call = (...args) => func()(...args);
      call.async = (...args) => func().async(...args);
      return call;
    };
    export default { load: (library) => ({ func: (definition) => declare(library, definition) }), struct: (...args) => { structs.push(args); }, errno: () => real().errno() };`,
  // Numbers of this machine's kernel, which do not change; the module itself is needed by the warm-up alone.
  'node:os': `export const constants = { errno: ${JSON.stringify(osConstants.errno)} };
    export const tmpdir = () => process.getBuiltinModule('node:os').tmpdir();`,
  // Of node:net, which brings all streams along, only the tests of addresses are used.
  'node:net': `export const isIPv4 = (text) => /^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])([.](?!$)|$)){4}$/.test(text);
    export const isIPv6 = (text) => /^[0-9a-f:.]+$/i.test(text) && text.includes(':') && URL.canParse('http://[' + text + ']');
    export const isIP = (text) => isIPv4(text) ? 4 : isIPv6(text) ? 6 : 0;`,
};

/** A module whose functions load the real one when they are called. What nobody imports is left out of the bundle. */
function lazyBuiltin(name: string, real: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(real).filter(([key]) => /^[A-Za-z_$][\w$]*$/.test(key) && key !== 'default').map(([key, value]) => typeof value === 'function'
    ? `export function ${key}(...args) { return new.target ? new (real().${key})(...args) : real().${key}(...args); }`
    : `export const ${key} = /* @__PURE__ */ (() => real().${key})();`);
  return [`const real = () => process.getBuiltinModule(${JSON.stringify(name)});`, ...lines, 'export default /* @__PURE__ */ (() => real())();'].join('\n');
}

/** The library for this machine and glibc, which this project's Node is built for. */
function copyNative(target: string): void {
  const koffi = dirname(createRequire(import.meta.url).resolve('koffi'));
  copyFileSync(join(dirname(koffi), '@koromix', `koffi-linux-${process.arch}`, `linux_${process.arch}`, 'koffi.node'), target);
}

/**
 * NODE_OPTIONS could load foreign code, and extra CA files cost more time than the whole call. A runtime must be told in
 * JSON even that Node is gone: without it, all that it can say is that a plugin failed without a word.
 */
function writeLauncher(path: string, home: string, name: string): void {
  const text = [
    '#!/bin/sh',
    `# Podwire's CNI plugin under the name ${name}.`,
    `if [ -n "$CNI_COMMAND" ] && [ "$PODWIRE_CNI_AGENT" != no ] && [ -r ${quote(join(home, 'agent'))} ] && [ -x /bin/bash ]; then`,
    '  # -p: BASH_ENV could run foreign code.',
    `  exec /bin/bash -p ${quote(join(home, 'ask.bash'))} ${quote(path)} ${name}`,
    'fi',
    'unset NODE_OPTIONS NODE_EXTRA_CA_CERTS NODE_PATH',
    '# One pool thread: a call of some milliseconds has no use for four.',
    'export UV_THREADPOOL_SIZE=1',
    `node=${quote(process.execPath)}`,
    'if [ ! -x "$node" ]; then',
    `  printf '{"cniVersion": "1.1.0", "code": 5, "msg": "%s is not there; run podwire cni install again"}\\n' "$node"`,
    '  exit 1',
    'fi',
    `exec "$node" ${nodeFlags.join(' ')} ${quote(join(home, 'start.cjs'))} ${name}`,
    '',
  ].join('\n');
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text);
  chmodSync(temporary, 0o755);
  renameSync(temporary, path);
}

/** Writes the code cache, then sees that a launcher works. Without root the cache holds less. */
function warmUp(launcher: string, home: string): void {
  spawnSync(process.execPath, [...nodeFlags, join(home, 'start.cjs'), '--warm-up'], { env: {}, stdio: 'ignore' });
  const { status, stderr } = spawnSync(launcher, [], { env: { CNI_COMMAND: 'VERSION' }, input: '{"cniVersion":"1.1.0"}', encoding: 'utf8' });
  if (status !== 0) throw new Error(`${launcher} does not run: ${stderr}`);
}

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
