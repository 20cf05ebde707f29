// The one bundled file behind all executables: `node start.cjs NAME`.
import { forgoThreadPool } from '@podwire/netlink';
import { runExecutable } from './plugins/executable.ts';
import { warmUp } from './plugins/warm-up.ts';

const [name = 'podwire'] = process.argv.slice(2);
forgoThreadPool();
void (name === '--warm-up' ? warmUp() : runExecutable(name));
