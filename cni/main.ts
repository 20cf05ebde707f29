/**
 * `./podwire cni install DIR` puts the CNI executables into a folder. With CNI_COMMAND set, `./podwire cni` is itself
 * the plugin, slower than an installed one. Exit codes: 0 all well, 1 it failed, 2 bad usage.
 */
import { installPlugins, pluginNames } from './install.ts';
import { runExecutable } from './plugins/executable.ts';

const help = `podwire cni: the CNI plugin, on its own

  ./podwire cni install DIR   put the executables into DIR, which then can be a runtime's CNI_PATH:
                              ${pluginNames.join(', ')}
  CNI_COMMAND=... ./podwire cni
                              act as the plugin \`podwire\` once: configuration on standard input, result on standard output
  ./podwire cni --help        this text
`;

async function main(argv: readonly string[]): Promise<number> {
  const [command, dir, ...rest] = argv;
  if (command === '--help' || command === '-h' || command === 'help') {
    process.stdout.write(help);
    return 0;
  }
  if (command === undefined && (process.env['CNI_COMMAND'] ?? '') !== '') await runExecutable('podwire');
  if (command === 'install' && dir !== undefined && !dir.startsWith('-') && rest.length === 0) {
    try {
      const names = await installPlugins(dir);
      process.stdout.write(`installed in ${dir}: ${names.join(', ')}\n`);
      return 0;
    } catch (error) {
      process.stderr.write(`podwire cni install ${dir}: ${error instanceof Error ? error.message : String(error)}\n`);
      return 1;
    }
  }
  process.stderr.write(help);
  return 2;
}

process.exitCode = await main(process.argv.slice(2));
