// `npm start`: the whole path once. Three nodes, nginx behind a Service, the connectivity matrix, one packet trace; and how to go on.
// Exit 0 only when all of it worked. The lab stays up.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { adminClient } from './cluster/client.ts';
import { applyDemo, waitDemo } from './demo.ts';
import { errorText, LabError } from './errors.ts';
import { runSteps } from './progress.ts';
import { labStatus, statusText } from './status.ts';
import { underlayAddresses } from './state/spec.ts';
import { up } from './up.ts';

const launcher = fileURLToPath(new URL('../podwire', import.meta.url));

/** A further command of the launcher, with this terminal. */
function podwire(args: readonly string[]): number {
  return spawnSync(launcher, args, { stdio: 'inherit' }).status ?? 2;
}

function nextSteps(kubeconfig: string, nodeIP: string): string {
  return `
The lab is up. Go on with:
  export KUBECONFIG=${kubeconfig}
  kubectl get nodes,pods,services -o wide
  kubectl apply -f lab/examples/pod.yaml
  kubectl scale deployment web --replicas=5
  curl http://${nodeIP}:30080/hostname
  ./podwire node node1 -- nft list table ip podwire
  ./podwire status
and take it away with:
  ./podwire down
`;
}

async function main(): Promise<number> {
  const { names, spec } = await up({ stateDir: process.env['PODWIRE_STATE_DIR'] ?? '.podwire' });
  const client = adminClient(names);
  try {
    await runSteps([{
      title: 'Demo (lab/examples/demo.yaml)',
      run: async () => {
        const made = await applyDemo(client);
        await waitDemo(client);
        return made ? 'applied' : 'there already';
      },
    }], undefined);
  } finally {
    client.close();
  }
  const status = await labStatus(names, spec);
  process.stdout.write(`\n${statusText(status)}\n\n`);
  const matrix = podwire(['matrix', '--state-dir', names.stateDir]);
  // The matrix left a Service whose endpoints are all on node2: from node1, its packets cross nodes.
  const [from, to] = spec.nodes > 1 ? ['podwire-matrix/probe-node1-a', 'svc/podwire-matrix/on-node2'] : ['outside', `${underlayAddresses(spec).node(1)}:30080`];
  process.stdout.write(`\nOne packet (podwire trace ${from} ${to}):\n\n`);
  const trace = podwire(['trace', '--state-dir', names.stateDir, from, to]);
  process.stdout.write(nextSteps(names.kubeconfig, underlayAddresses(spec).node(1)));
  return status.healthy ? Math.max(matrix, trace) : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`npm start: ${error instanceof LabError ? error.message : error instanceof Error ? (error.stack ?? error.message) : errorText(error)}\n`);
  process.exitCode = 2;
}
