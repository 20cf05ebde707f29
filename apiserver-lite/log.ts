import { pino } from 'pino';
import type { Logger } from 'pino';

/** JSON lines on stderr; on a terminal one readable line per fact. */
export function createLog(stream: NodeJS.WriteStream = process.stderr): Logger {
  if (!stream.isTTY) return pino({ base: null }, pino.destination({ fd: 2, sync: true }));
  return pino({ base: null }, {
    write(line: string) {
      const { level, time, msg = '', err, ...facts } = JSON.parse(line) as { level: number; time: number; msg?: string; err?: { message?: string } };
      const word = level >= 50 ? 'error' : level >= 40 ? 'warn' : 'info';
      const rest = Object.entries(facts).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`).join(' ');
      stream.write(`${new Date(time).toISOString().slice(11, 23)} ${word} ${msg}${rest === '' ? '' : ` ${rest}`}${err?.message === undefined ? '' : `: ${err.message}`}\n`);
    },
  });
}
