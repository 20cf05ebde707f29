import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { runPlugin } from './run.ts';

/** What `ask.bash` sends, each ended by a zero byte; JSON has none. */
const fields = ['token', 'name', 'CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH', 'input'] as const;
const mostBytes = 16 << 20;

/** Where `ask.bash` finds port and token; readable by root alone. */
export const agentFile = (dir: string): string => join(dir, '.podwire', 'agent');

/**
 * Serves the executables installed in `dir` from this process, which has long been started: their launchers ask here, by way
 * of bash, and start a Node of their own only when nobody answers. On 127.0.0.1 of this thread's network namespace: whoever
 * reaches it is in that namespace too, so a call acts where its caller is. Throws when nothing is installed in `dir`.
 */
export async function servePlugins(dir: string): Promise<{ stop(): Promise<void> }> {
  if (!existsSync(join(dir, '.podwire'))) throw new Error(`${dir}: no CNI executables are installed there; run podwire cni install ${dir}`);
  const token = randomBytes(24).toString('hex');
  const connections = new Set<Socket>();
  const server = createServer((socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket)).on('error', () => socket.destroy());
    receive(socket, token);
  });
  await new Promise<void>((done, failed) => { server.on('error', failed).listen({ host: '127.0.0.1', port: 0 }, done); });
  const address = server.address();
  const path = agentFile(dir);
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, `${typeof address === 'object' && address !== null ? address.port : 0} ${token}\n`, { mode: 0o600 });
  chmodSync(fresh, 0o600);
  renameSync(fresh, path);
  return {
    stop: async () => {
      rmSync(path, { force: true });
      for (const each of connections) each.destroy();
      await new Promise<void>((done) => { server.close(() => done()); });
    },
  };
}

function receive(socket: Socket, token: string): void {
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const parts = received.toString('utf8').split('\0');
    const isStranger = parts.length > 1 ? parts[0] !== token : received.length > token.length;
    if (isStranger || received.length > mostBytes) socket.destroy();
    else if (parts.length > fields.length) void answer(socket, parts);
  });
}

async function answer(socket: Socket, parts: readonly string[]): Promise<void> {
  socket.removeAllListeners('data');
  const request = Object.fromEntries(fields.map((field, index) => [field, parts[index] ?? '']));
  const env = Object.fromEntries(Object.entries(request).filter(([field, value]) => field.startsWith('CNI_') && value !== ''));
  const { exitCode, stdout, stderr } = await runPlugin(request['name'] ?? '', env, () => request['input'] ?? '');
  socket.end(`${exitCode}\0${stdout}\0${stderr}\0`);
}
