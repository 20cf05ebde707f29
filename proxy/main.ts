// ./podwire proxy --kubeconfig FILE --hostname-override NAME: the proxy alone, in the network namespace it is started in.
import os from 'node:os';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { KernelNft } from 'nftables-js';
import { KubeClient, KubeconfigError, inClusterAccess, loadKubeconfig } from '@podwire/kube-client';
import { ConfigError, loadConfigFile, parseFlags } from './config/parse.ts';
import type { FileConfig } from './config/parse.ts';
import { rulesetOptions, startProxy } from './driver/proxy.ts';
import { applySysctls } from './driver/sysctls.ts';
import { TableProgrammer } from './driver/table-programmer.ts';
import { renderRuleset } from './ruleset/render.ts';

const HELP = `Usage: podwire proxy --kubeconfig FILE [--hostname-override NAME] [options]

Programs the network namespace it runs in (nftables tables "ip podwire" and "ip6 podwire") so that Service addresses reach pods.
It touches no other table. Names and meanings of the options are kube-proxy's.

  --kubeconfig FILE                 how to reach the API server (inside a pod: its service account)
  --config FILE                     KubeProxyConfiguration v1alpha1; the flags below are then not used
  --hostname-override NAME          this node's name; default: the host's name
  --cluster-cidr CIDR[,CIDR]        the pods' networks; traffic from elsewhere to a cluster IP is masqueraded
  --detect-local-mode MODE          ClusterCIDR (default), NodeCIDR, BridgeInterface, InterfaceNamePrefix
  --pod-bridge-interface NAME, --pod-interface-name-prefix PREFIX
  --service-cidr CIDR[,CIDR]        besides the API's ServiceCIDR objects
  --nodeport-addresses LIST         CIDRs, or "primary" (default): which addresses answer node ports
  --masquerade-all                  masquerade everything sent to a cluster IP
  --masquerade-bit N                bit of the packet mark that asks for masquerade; default 14
  --conntrack-max-per-core N, --conntrack-min N, --conntrack-tcp-timeout-established D, --conntrack-tcp-timeout-close-wait D,
  --conntrack-tcp-be-liberal, --conntrack-udp-timeout D, --conntrack-udp-timeout-stream D
  --sync-period D, --min-sync-period D
  --healthz-bind-address A:P        default 0.0.0.0:10256; "" for none
  --metrics-bind-address A:P        default 127.0.0.1:10249; "" for none
  --service-proxy-name NAME         serve only Services labelled service.kubernetes.io/service-proxy-name=NAME
  --traffic-accounting              bytes per endpoint in /metrics (sets net.netfilter.nf_conntrack_acct=1)
  --proxy-mode nftables             accepted; there is no other
  --init-only                       only the settings that need privilege, then exit
  --cleanup                         remove both tables, then exit
  --print-ruleset                   print the rules that would be loaded, then exit
  -v, --verbose                     say more
  --help

Exit code: 0 done, 1 failed while running, 2 could not start (bad option, no privilege, no API server given).
`;

const TEXT = ['kubeconfig', 'config', 'hostname-override', 'cluster-cidr', 'detect-local-mode', 'pod-bridge-interface', 'pod-interface-name-prefix', 'service-cidr', 'nodeport-addresses', 'masquerade-bit',
  'conntrack-max-per-core', 'conntrack-min', 'conntrack-tcp-timeout-established', 'conntrack-tcp-timeout-close-wait', 'conntrack-udp-timeout', 'conntrack-udp-timeout-stream',
  'sync-period', 'min-sync-period', 'healthz-bind-address', 'metrics-bind-address', 'service-proxy-name', 'proxy-mode'] as const;
const SWITCHES = ['masquerade-all', 'traffic-accounting', 'conntrack-tcp-be-liberal', 'init-only', 'cleanup', 'print-ruleset', 'help'] as const;

type Flags = Readonly<Record<string, string | boolean | undefined>>;

function flagsOf(argv: readonly string[]): Flags {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string }> = { verbose: { type: 'boolean', short: 'v' } };
  for (const name of TEXT) options[name] = { type: 'string' };
  for (const name of SWITCHES) options[name] = { type: 'boolean' };
  try {
    return parseArgs({ args: [...argv], options, strict: true }).values;
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}; see podwire proxy --help`, { cause: error });
  }
}

const text = (flags: Flags, name: string): string | undefined => {
  const value = flags[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};

function logger(isVerbose: boolean): pino.Logger {
  const base = { name: 'proxy', level: isVerbose ? 'debug' : 'info' };
  if (!process.stderr.isTTY) return pino(base, pino.destination({ dest: 2, sync: true }));
  const human = { write: (line: string) => {
    const { level, msg } = JSON.parse(line) as { level: number; msg: string };
    process.stderr.write(`${level >= 50 ? 'error: ' : level >= 40 ? 'warning: ' : ''}${msg}\n`);
  } };
  return pino(base, human);
}

async function main(argv: readonly string[]): Promise<number> {
  const flags = flagsOf(argv);
  if (flags['help'] === true) {
    process.stdout.write(HELP);
    return 0;
  }
  const configPath = text(flags, 'config');
  const file: FileConfig = configPath === undefined ? { config: parseFlags(flags), warnings: [] } : loadConfigFile(configPath);
  const { config } = file;
  const log = logger(flags['verbose'] === true);
  for (const warning of file.warnings) log.warn({}, warning);
  if (flags['print-ruleset'] === true) {
    for (const family of config.families) process.stdout.write(renderRuleset(family, rulesetOptions(config)));
    return 0;
  }
  if (process.getuid?.() !== 0) throw new ConfigError('the proxy needs root (CAP_NET_ADMIN) to program nftables; run it with sudo');
  if (flags['cleanup'] === true) {
    using nft = KernelNft.open();
    for (const family of config.families) await new TableProgrammer(family, nft, rulesetOptions(config)).remove();
    log.info({}, 'removed the tables ip podwire and ip6 podwire');
    return 0;
  }
  const changed = applySysctls(config);
  if (changed.length > 0) log.info({ changed }, `set ${changed.join(', ')}`);
  if (flags['init-only'] === true) return 0;
  const kubeconfig = text(flags, 'kubeconfig') ?? file.kubeconfig;
  const access = kubeconfig === undefined ? inClusterAccess() : loadKubeconfig(kubeconfig);
  const client = new KubeClient(access, { userAgent: 'podwire-proxy' });
  const nodeName = (text(flags, 'hostname-override') ?? file.hostname ?? os.hostname()).trim().toLowerCase();
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
  const proxy = await startProxy({ client, nodeName, config, log });
  log.info({ node: nodeName, server: access.server }, `serving node ${nodeName} from ${access.server}; rules are loaded, waiting for Services`);
  proxy.waitForSync(stop.signal).then(() => log.info({}, 'every Service is programmed'), () => undefined);
  await new Promise<void>((resolve) => {
    // The servers do not keep the process alive; this does.
    const alive = setInterval(() => undefined, 2 ** 30);
    stop.signal.addEventListener('abort', () => {
      clearInterval(alive);
      resolve();
    }, { once: true });
  });
  await proxy.stop();
  client.close();
  log.info({}, 'stopped; the rules stay in force (remove them with --cleanup)');
  return 0;
}

// `--print-ruleset | head`: whoever reads may have read enough.
process.stdout.on('error', (error: Error) => { if ('code' in error && error.code === 'EPIPE') process.exit(0); else throw error; });
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`podwire proxy: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof ConfigError || error instanceof KubeconfigError || (error instanceof Error && 'code' in error && error.code === 'EPERM') ? 2 : 1;
}
