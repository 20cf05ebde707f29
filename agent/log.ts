// One JSON line per fact on stderr; a readable line on a terminal.
import { Writable } from 'node:stream';
import { pino } from 'pino';
import type { Logger } from 'pino';

const names: Readonly<Record<number, string>> = { 20: 'debug', 30: 'info', 40: 'warn', 50: 'error' };

function readable(): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      const { level, time, msg, node, pid: _pid, hostname: _hostname, err, ...rest } = JSON.parse(chunk.toString('utf8')) as Record<string, unknown> & { level: number; time: number; err?: { message?: string } };
      const facts = Object.entries(rest).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ');
      const why = err?.message === undefined || err.message === msg ? '' : ` (${err.message})`;
      process.stderr.write(`${new Date(time).toISOString().slice(11, 23)} ${String(node)} ${names[level] ?? String(level)}: ${String(msg)}${why}${facts === '' ? '' : ` ${facts}`}\n`);
      done();
    },
  });
}

export function agentLog(nodeName: string, level: string): Logger {
  // A failure that is retried is one line, not a page: its text names operation and cause; the stack only when debugging.
  const err = (error: unknown): unknown => error instanceof Error
    ? { message: error.message, code: (error as { code?: unknown }).code, ...(level === 'debug' ? { stack: error.stack } : {}) } : error;
  const options = { level, base: { node: nodeName }, serializers: { err } };
  return process.stderr.isTTY ? pino(options, readable()) : pino(options, pino.destination({ fd: 2, sync: true }));
}
