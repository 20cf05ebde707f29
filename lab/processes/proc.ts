// Processes as /proc shows them. A pid alone identifies nothing (it is reused); pid and start time together do.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

export interface ProcessId {
  readonly pid: number;
  /** Clock ticks since boot at which it started (field 22 of /proc/PID/stat, see proc(5)). */
  readonly startTime: number;
}

const gone = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EINVAL']);

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (gone.has((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** The process of this pid, or undefined when there is none or only a zombie. */
export function processOf(pid: number): ProcessId | undefined {
  const stat = orUndefined(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  if (stat === undefined) return undefined;
  // The command name may hold blanks and brackets: fields are counted from the last bracket.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTime = Number(fields[19]);
  return state === 'Z' || state === 'X' || !Number.isFinite(startTime) ? undefined : { pid, startTime };
}

export function isAlive(process: ProcessId): boolean {
  return processOf(process.pid)?.startTime === process.startTime;
}

function environment(pid: number): readonly string[] {
  return orUndefined(() => readFileSync(`/proc/${pid}/environ`, 'utf8'))?.split('\0') ?? [];
}

function inCgroup(pid: number, parent: string): boolean {
  const text = orUndefined(() => readFileSync(`/proc/${pid}/cgroup`, 'utf8')) ?? '';
  return text.split('\n').some((line) => line.includes(`:${parent}/`) || line.endsWith(`:${parent}`));
}

export function commandLine(pid: number): readonly string[] {
  return orUndefined(() => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))?.split('\0').filter((part) => part !== '') ?? [];
}

/** The namespace a process is in, as "net:[4026531840]". */
export function netnsOf(pid: number): string | undefined {
  return orUndefined(() => readlinkSync(`/proc/${pid}/ns/net`));
}

function parentOf(pid: number): number {
  const stat = orUndefined(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  return stat === undefined ? 0 : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}

function ancestors(): ReadonlySet<number> {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = parentOf(pid)) line.add(pid);
  return line;
}

/** Every process that carries the lab's marker in its environment or lies in its control group; never this one nor its callers. */
export function findProcesses(marker: string, cgroupParent: string): readonly ProcessId[] {
  const own = ancestors();
  const found: ProcessId[] = [];
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || own.has(pid)) continue;
    if (!environment(pid).includes(marker) && !inCgroup(pid, cgroupParent)) continue;
    const id = processOf(pid);
    if (id !== undefined) found.push(id);
  }
  return found;
}

/** Every process that is in this network namespace. */
export function processesInNetns(netns: string): readonly ProcessId[] {
  return readdirSync('/proc').map(Number).filter((pid) => Number.isInteger(pid) && netnsOf(pid) === netns).flatMap((pid) => processOf(pid) ?? []);
}
