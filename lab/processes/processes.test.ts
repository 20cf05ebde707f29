import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { labNames } from '../state/names.ts';
import { findProcesses, isAlive, processOf } from './proc.ts';
import { ensureService, runningService, stopService } from './service.ts';
import { endProcesses, sendSignal } from './signal.ts';
import type { Service } from './service.ts';

const folder = mkdtempSync(join(tmpdir(), 'lab-processes-'));
const names = labNames(folder);
test.after.always(async () => {
  await endProcesses(findProcesses(names.marker, names.cgroupParent), 0);
  rmSync(folder, { recursive: true });
});

function sleeper(name: string): Service {
  return { name, argv: ['/bin/sleep', '300'], ready: () => Promise.resolve(true), readyTimeoutMs: 1000 };
}

test.serial('a service is started once and found again', async (t) => {
  t.is(await ensureService(names, sleeper('one')), 'started');
  const first = runningService(names, 'one');
  t.is(await ensureService(names, sleeper('one')), 'running');
  t.deepEqual(runningService(names, 'one'), first);
  t.deepEqual(findProcesses(names.marker, names.cgroupParent).map(({ pid }) => pid), [first!.pid]);
  await stopService(names, 'one', 1000);
  t.is(runningService(names, 'one'), undefined);
});

test.serial('a killed service is started again', async (t) => {
  await ensureService(names, sleeper('two'));
  const first = runningService(names, 'two')!;
  await endProcesses([first], 0);
  t.false(isAlive(first));
  t.is(await ensureService(names, sleeper('two')), 'started');
  await stopService(names, 'two', 0);
});

test.serial('a pid that now belongs to another process is neither taken for the service nor signalled', async (t) => {
  const stranger = spawn('/bin/sleep', ['300'], { stdio: 'ignore' });
  t.teardown(() => stranger.kill('SIGKILL'));
  const real = processOf(stranger.pid!)!;
  await ensureService(names, sleeper('three'));
  await stopService(names, 'three', 0);
  writeFileSync(join(names.pidDir, 'three.json'), JSON.stringify({ pid: real.pid, startTime: real.startTime - 1 }));
  t.is(runningService(names, 'three'), undefined);
  sendSignal({ pid: real.pid, startTime: real.startTime - 1 }, 'SIGKILL');
  t.true(isAlive(real));
});

test.serial('a service that ends at once is reported with the end of its log', async (t) => {
  const failing: Service = { name: 'bad', argv: ['/bin/sh', '-c', 'echo no such thing >&2; exit 3'], ready: () => Promise.resolve(false), readyTimeoutMs: 5000 };
  await t.throwsAsync(ensureService(names, failing), { message: /^bad ended right after its start\. The end of its log:\nno such thing$/u });
  await t.throwsAsync(ensureService(names, { ...failing, name: 'missing', argv: ['/no/such/program'] }), { message: /missing ended right after its start/u });
});

test.serial('a process that ignores SIGTERM is killed after its grace', async (t) => {
  await ensureService(names, { ...sleeper('deaf'), argv: ['/bin/sh', '-c', 'trap "" TERM; echo deaf; while :; do sleep 1; done'], ready: () => Promise.resolve(readFileSync(join(names.logDir, 'deaf.log'), 'utf8').includes('deaf')) });
  const running = runningService(names, 'deaf')!;
  await stopService(names, 'deaf', 50);
  t.false(isAlive(running));
});
