// Flags, signals, exit codes.
import { parseArgs } from 'node:util';
import { agentArguments, ConfigError, fields, flagValue, kebab, parseAgentConfig } from './config.ts';
import type { AgentConfig } from './config.ts';

const keys = Object.keys(fields) as (keyof AgentConfig)[];

function helpText(): string {
  const lines = keys.map((key) => {
    const { help, fallback } = fields[key];
    const [, standard] = fallback === undefined || fallback.value === undefined ? [] : agentArguments({ [key]: fallback.value } as never);
    const inline = typeof fallback?.value === 'boolean' ? String(fallback.value) : standard;
    return `  --${kebab(key).padEnd(28)}${help}${fallback === undefined ? ' (must be given)' : inline === undefined ? '' : ` (default: ${inline})`}`;
  });
  return `Usage: podwire agent --kubeconfig FILE --node-name NAME --node-ip IP --root-dir DIR ...\n\nRuns the pods that are bound to this node, through a Docker engine.\n\n${lines.join('\n')}\n  --${'help'.padEnd(28)}show this\n`;
}

function readFlags(): Record<string, unknown> | 'help' {
  const options = Object.fromEntries(keys.map((key) => [kebab(key), { type: 'string' as const }]));
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', short: 'h' } }, strict: true, allowPositionals: false });
    if (values.help === true) return 'help';
    return Object.fromEntries(keys.flatMap((key) => {
      const text = (values as Readonly<Record<string, string | boolean | undefined>>)[kebab(key)];
      return typeof text === 'string' ? [[key, flagValue(fields[key].kind, text)]] : [];
    }));
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}; see ./podwire agent --help`, { cause: error });
  }
}

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags === 'help') {
    process.stdout.write(helpText());
    return;
  }
  const config = parseAgentConfig(flags);
  const { startAgent } = await import('./agent.ts');
  const agent = await startAgent(config);
  let isStopping = false;
  const stop = (): void => {
    if (isStopping) return;
    isStopping = true;
    // What hangs must not keep the process: everything that matters survives a kill -9 as well.
    setTimeout(() => process.exit(0), 5000).unref();
    void agent.stop().finally(() => process.exit(0));
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

await main().catch((error: unknown) => {
  process.stderr.write(`podwire agent: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(2);
});
