// podwire-join.service, on the control plane: serves sealed credentials to the machines of the roster. Arguments as provision.sh has them.
import { readFileSync } from 'node:fs';
import { errorText } from '../errors.ts';
import { nodeBundle } from './credentials.ts';
import { joinServer } from './join.ts';
import { joinPort, parseMachine, paths } from './layout.ts';

try {
  const machine = parseMachine(process.argv.slice(2));
  const server = joinServer(readFileSync(paths.joinToken, 'utf8').trim(), (node) => nodeBundle(machine, node));
  server.on('error', (error) => {
    process.stderr.write(`podwire join: ${error.message}\n`);
    process.exit(2);
  });
  server.listen(joinPort, machine.ip, () => { process.stderr.write(`podwire join: listening on http://${machine.ip}:${joinPort}\n`); });
} catch (error) {
  process.stderr.write(`podwire join: ${errorText(error)}\n`);
  process.exit(2);
}
