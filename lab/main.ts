// The lab's command line. Exit codes: 0 all well, 1 a check failed, 2 it could not run.
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { errorText, LabError } from './errors.ts';
import { TraceTargetError } from './trace/target.ts';
import { runCommand } from './commands.ts';
import type { UpFlags } from './commands.ts';
import type { FaultFlags } from './faults/index.ts';

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/u.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return value;
}

const stateDir = (): Option => new Option('--state-dir <dir>', 'where the lab keeps its state; every name derives from it').default('.podwire').env('PODWIRE_STATE_DIR');

function program(): Command {
  const root = new Command('podwire')
    .description('A real Kubernetes network in TypeScript: API server, node agent, CNI plugin, kube-proxy on nftables, and a lab of several nodes on one machine.')
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', '\nThe parts, each alone (see their own --help): apiserver, agent, proxy, cni.\nExit codes: 0 all well, 1 a check failed, 2 it could not run.');
  root.command('up')
    .description('start the lab, or whatever of it is missing; prints the path of the kubeconfig')
    .addOption(stateDir())
    .option('--nodes <n>', 'number of nodes (3)', wholeNumber)
    .addOption(new Option('--runtime <name>', 'container runtime').choices(['docker']).default('docker'))
    .option('--docker-host <unix://path|private>', "the Docker engine; default: DOCKER_HOST, the machine's own when it answers, else a private one")
    .option('--pod-cidr <cidr>', 'pod addresses (10.244.0.0/16)')
    .option('--service-cidr <cidr>', 'Service addresses (10.96.0.0/16)')
    .option('--underlay-cidr <cidr>', 'addresses of the nodes (a free /24 in 10.200.0.0/14)')
    .option('--api-port <port>', 'port of the API server (6443)', wholeNumber)
    .addOption(new Option('--network-mode <mode>', 'how pods reach other nodes (vxlan)').choices(['vxlan', 'host-gw']))
    .addOption(new Option('--pod-interface <kind>', 'how pods are attached (bridge)').choices(['bridge', 'ptp']))
    .addOption(new Option('--ip-family <family>', 'addresses of pods, Services and nodes (ipv4)').choices(['ipv4', 'dual']))
    .action(async (flags: UpFlags) => runCommand({ name: 'up', flags }));
  root.command('down')
    .description('remove every trace of the lab: processes, containers, namespaces, links, rules, state')
    .addOption(stateDir())
    .action(async (flags: { readonly stateDir: string }) => runCommand({ name: 'down', ...flags }));
  root.command('status')
    .description('nodes, pods, Services and the health of the parts')
    .addOption(stateDir())
    .addOption(new Option('-o, --output <format>', 'format').choices(['text', 'json']).default('text'))
    .action(async (flags: { readonly stateDir: string; readonly output: string }) => runCommand({ name: 'status', ...flags }));
  root.command('kubeconfig')
    .description("print the path of the lab's kubeconfig: export KUBECONFIG=$(./podwire kubeconfig)")
    .addOption(stateDir())
    .action(async (flags: { readonly stateDir: string }) => runCommand({ name: 'kubeconfig', ...flags }));
  root.command('node')
    .description('run a command inside the network of a lab node: podwire node node1 -- nft list table ip podwire')
    .argument('<name>', 'node1, node2, ...')
    .argument('<command...>', 'the command and its arguments, after --')
    .addOption(stateDir())
    .action(async (node: string, command: readonly string[], flags: { readonly stateDir: string }) => runCommand({ name: 'node', node, command: command[0] === '--' ? command.slice(1) : command, ...flags }));
  root.command('matrix')
    .description('probe every path of the cluster and print the connectivity matrix')
    .addOption(stateDir())
    .addOption(new Option('-o, --output <format>', 'format').choices(['table', 'json', 'junit', 'html']).default('table'))
    .option('--filter <expression>', "only the cells that match, as in 'protocol=udp,path~node port,from!=outside'")
    .option('--disruptive [seconds]', 'also change endpoints under load (for 120 s, or as said), kill pods for as long, count lost requests, and lose a node')
    .action(async (flags: { readonly stateDir: string; readonly output: string; readonly filter?: string; readonly disruptive?: string | true }) => runCommand({ name: 'matrix', ...flags }));
  root.command('trace')
    .description('follow one real packet hop by hop')
    .argument('[from]', 'a pod (NAME or NAMESPACE/NAME), node/NAME, or outside')
    .argument('[to]', 'a pod, svc/NAME[:PORT], or IP:PORT')
    .addOption(stateDir())
    .option('--udp', 'a UDP packet instead of a TCP connection', false)
    .option('--ipv6', 'to the IPv6 address of a pod or Service that has both', false)
    .option('--size <bytes>', 'with --udp: the size of the payload, sent so that nobody may fragment it', wholeNumber)
    .option('--source-port <port>', 'send from this port, to meet a connection that is tracked already', wholeNumber)
    .option('--replay <file>', 'print a trace that was saved with -o json; needs neither a lab nor root')
    .addOption(new Option('-o, --output <format>', 'format; a recording is all that was observed, for --replay').choices(['text', 'tree', 'json', 'html', 'recording']).default('text'))
    .action(async (from: string | undefined, to: string | undefined, flags: { readonly replay?: string; readonly stateDir: string; readonly output: string; readonly udp: boolean; readonly ipv6: boolean; readonly size?: number; readonly sourcePort?: number }) => runCommand({ name: 'trace', ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }), ...flags }));
  root.command('fault')
    .description('break something on purpose, and put it right again by the same name')
    .argument('[name]', 'which fault; see --list')
    .addOption(stateDir())
    .option('--undo <name>', 'put right what this fault broke, or all')
    .option('--list', 'the faults there are, and those in force', false)
    .option('--node <name>', 'where (node1); with --undo: only there')
    .option('--peer <name>', 'towards which node (the first other one)')
    .option('--port <port>', 'nft-drop: packets to this port (80)', wholeNumber)
    .addOption(new Option('--protocol <name>', 'nft-drop: packets of this protocol (tcp)').choices(['tcp', 'udp']))
    .option('--mtu <bytes>', 'mtu: the largest packet (1000)', wholeNumber)
    .action(async (fault: string | undefined, { stateDir: directory, undo, list, ...flags }: { readonly stateDir: string; readonly undo?: string; readonly list: boolean } & FaultFlags) => runCommand({ name: 'fault', stateDir: directory, list, flags, ...(fault === undefined ? {} : { fault }), ...(undo === undefined ? {} : { undo }) }));
  root.command('walkthrough')
    .description('a lesson that really runs: breaks something, foretells, looks, repairs')
    .argument('[name]', 'which one; see --list')
    .addOption(stateDir())
    .option('--list', 'the lessons there are', false)
    .action(async (lesson: string | undefined, flags: { readonly stateDir: string; readonly list: boolean }) => runCommand({ name: 'walkthrough', ...flags, ...(lesson === undefined ? {} : { lesson }) }));
  const proxy = root.command('proxy').description("look into the proxy's work on the lab's nodes (the proxy alone: podwire proxy --help)");
  proxy.command('show')
    .description('a Service: what is intended, what the kernel holds, and where they differ')
    .argument('<service>', 'NAME or NAMESPACE/NAME')
    .option('--node <name>', 'only this node')
    .addOption(stateDir())
    .action(async (service: string, flags: { readonly stateDir: string; readonly node?: string }) => runCommand({ name: 'proxy-show', service, ...flags }));
  proxy.command('explain')
    .description("what would happen to a packet, and why: podwire proxy explain '10.244.1.2 -> 10.96.0.10:80/tcp'")
    .argument('<question...>', 'SOURCE -> ADDRESS:PORT/PROTOCOL, quoted')
    .option('--node <name>', 'the node whose rules are asked')
    .addOption(stateDir())
    .action(async (words: readonly string[], flags: { readonly stateDir: string; readonly node?: string }) => runCommand({ name: 'proxy-explain', words, ...flags }));
  for (const command of [...root.commands, ...proxy.commands]) command.exitOverride();
  return root;
}

/** A LabError says all there is to say; anything else is a fault of ours, and where it happened helps. */
function errorLine(error: unknown): string {
  if (error instanceof LabError || error instanceof TraceTargetError || !(error instanceof Error)) return errorText(error);
  return error.stack ?? error.message;
}

async function main(): Promise<number> {
  let code = 0;
  const root = program();
  root.hook('postAction', () => { code = Number(process.exitCode ?? 0); });
  try {
    if (process.argv.length <= 2) {
      root.outputHelp();
      return 2;
    }
    await root.parseAsync();
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`podwire: ${errorLine(error)}\n`);
    return 2;
  }
}

// `podwire status | head` is no failure: whoever reads may stop reading.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await main();
