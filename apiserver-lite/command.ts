// The command line of the API server, with controllers and scheduler in the same process.
import { Command } from 'commander';
import { createLog } from './log.ts';
import { checkOptions, UsageError } from './options.ts';

const program = new Command('podwire apiserver')
  .description('The API server with its controllers and scheduler: everything kubectl talks to.')
  .requiredOption('--data-dir <dir>', 'directory for the store, the certificates and the admin kubeconfig')
  .option('--bind-address <ip>', 'address to listen on; 0.0.0.0 for all', '127.0.0.1')
  .option('--secure-port <port>', 'HTTPS port; 0 picks a free one', '6443')
  .option('--advertise-address <ip>', 'address under which nodes and pods reach this server (default: the bind address)')
  .option('--service-cluster-ip-range <cidr[,cidr]>', 'addresses of Services, one range per IP family', '10.96.0.0/16')
  .option('--service-node-port-range <from-to>', 'node ports of Services', '30000-32767')
  .option('--cluster-cidr <cidr[,cidr]>', 'addresses of pods; every node gets a part', '10.244.0.0/16')
  .option('--load-balancer-cidr <cidr>', 'addresses for Services of type LoadBalancer (default: they stay pending)')
  .option('--tls-sans <names>', 'further names and addresses for the serving certificate, separated by commas')
  .option('--kubeconfig <file>', "where to write the admin's kubeconfig (default: DATA-DIR/kubeconfig)")
  .option('--admin-token <token>', 'a bearer token with all rights')
  .option('--authorization-mode <mode>', 'AlwaysAllow or RBAC', 'AlwaysAllow')
  .option('--etcd-servers <urls>', 'etcd v3 instead of the embedded store, e.g. http://127.0.0.1:2379; several servers may share it')
  .option('--audit-log-path <file>', 'append one JSON line per write (audit.k8s.io/v1, level Metadata)')
  .option('--no-controllers', 'only the API server: no controllers, no scheduler')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));

program.parse(process.argv);
const log = createLog();

/** 2: it could not run, and the text says what to change. */
function fail(error: unknown): never {
  if (error instanceof UsageError) process.stderr.write(`podwire apiserver: ${error.message}\n`);
  else log.fatal({ err: error }, 'API server stopped');
  process.exit(error instanceof UsageError ? 2 : 1);
}

try {
  const options = checkOptions(program.opts());
  const { startApiServer } = await import('./server.ts');
  const stopping = new AbortController();
  const server = await startApiServer(options, log);
  const parts = options.controllers ? await (await import('./parts.ts')).startParts(server, options, log, stopping.signal) : undefined;
  const stop = (signal: string): void => {
    if (stopping.signal.aborted) return;
    log.info({ signal }, 'stopping');
    stopping.abort();
    Promise.resolve(parts?.stopped).then(() => server.stop()).then(() => process.exit(0), fail);
  };
  process.once('SIGTERM', () => stop('SIGTERM'));
  process.once('SIGINT', () => stop('SIGINT'));
} catch (error) {
  fail(error);
}
