// Long-running processes of the lab: started detached with a log file and a pid file, found again by the next `up`.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { errorText, LabError } from '../errors.ts';
import { cacheDir } from '../images/cache.ts';
import { markerVariable } from '../state/names.ts';
import { isAlive, netnsOf, processOf } from './proc.ts';
import { endProcesses } from './signal.ts';
import type { LabNames } from '../state/names.ts';
import type { ProcessId } from './proc.ts';

export interface Service {
  /** "apiserver", "agent-node1": names the pid file, the log and what people see. */
  readonly name: string;
  readonly argv: readonly string[];
  /** Path of the network namespace to start in; the machine's own when not given. */
  readonly netnsPath?: string;
  /** Resolves to true when it does its work. */
  readonly ready: () => Promise<boolean>;
  readonly readyTimeoutMs: number;
}

const nsenter = '/usr/bin/nsenter';
const largeLogBytes = 32 * 1024 * 1024;

function pidFile(names: LabNames, name: string): string {
  return join(names.pidDir, `${name}.json`);
}

export function logFile(names: LabNames, name: string): string {
  return join(names.logDir, `${name}.log`);
}

/** The running process of this service, if it is the one the lab started. */
export function runningService(names: LabNames, name: string): ProcessId | undefined {
  const file = pidFile(names, name);
  if (!existsSync(file)) return undefined;
  try {
    const recorded = JSON.parse(readFileSync(file, 'utf8')) as ProcessId;
    return isAlive(recorded) ? recorded : undefined;
  } catch (error) {
    // A half-written file says nothing; the process, if any, is found by its marker when the lab goes down.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Starts the service when it does not run; says whether it had to. A process in another namespace than asked for is replaced. */
export async function ensureService(names: LabNames, service: Service): Promise<'running' | 'started'> {
  const running = runningService(names, service.name);
  const wantedNetns = service.netnsPath === undefined ? undefined : netnsOf(Number(/^\/proc\/(\d+)\//u.exec(service.netnsPath)?.[1]));
  if (running !== undefined && (wantedNetns === undefined || netnsOf(running.pid) === wantedNetns)) return 'running';
  if (running !== undefined) await endProcesses([running], 3000);
  startService(names, service);
  await waitReady(names, service);
  return 'started';
}

function startService(names: LabNames, service: Service): void {
  mkdirSync(names.pidDir, { recursive: true });
  mkdirSync(names.logDir, { recursive: true });
  const log = logFile(names, service.name);
  if (existsSync(log) && statSync(log).size > largeLogBytes) renameSync(log, `${log}.old`);
  const output = openSync(log, 'a');
  const inside = service.netnsPath === undefined ? [] : [nsenter, `--net=${service.netnsPath}`, '--'];
  const [command = '', ...args] = [...inside, ...service.argv];
  try {
    // V8's code cache, shared by all labs: about a third off the start of our own programs.
    const child = spawn(command, args, {
      detached: true,
      cwd: '/',
      stdio: ['ignore', output, output],
      env: { ...process.env, [markerVariable]: names.id, NODE_COMPILE_CACHE: join(cacheDir(), 'compile') },
    });
    // A missing program is reported here; the wait for readiness then ends because there is no process.
    child.once('error', (error) => { writeFileSync(log, `${errorText(error)}\n`, { flag: 'a' }); });
    child.unref();
    const started = child.pid === undefined ? undefined : processOf(child.pid);
    if (started === undefined) rmSync(pidFile(names, service.name), { force: true });
    else writeFileSync(pidFile(names, service.name), JSON.stringify(started));
  } finally {
    closeSync(output);
  }
}

/** Waits until a started service is ready; throws with the end of its log when it ends or takes too long. */
export async function waitReady(names: LabNames, service: Service): Promise<void> {
  const deadline = performance.now() + service.readyTimeoutMs;
  for (;;) {
    if (await service.ready()) return;
    const dead = runningService(names, service.name) === undefined;
    if (dead || performance.now() > deadline) {
      const what = dead ? 'ended right after its start' : `was not ready after ${service.readyTimeoutMs / 1000} s`;
      throw new LabError('EFAILED', `${service.name} ${what}. The end of its log:\n${logTail(names, service.name)}`);
    }
    await delay(30);
  }
}

export function logTail(names: LabNames, name: string, lines = 12): string {
  const log = logFile(names, name);
  return existsSync(log) ? readFileSync(log, 'utf8').trimEnd().split('\n').slice(-lines).join('\n') : '(no log)';
}

/** Ends the service if it runs. */
export async function stopService(names: LabNames, name: string, graceMs: number): Promise<void> {
  const running = runningService(names, name);
  if (running !== undefined) await endProcesses([running], graceMs);
  rmSync(pidFile(names, name), { force: true });
}
