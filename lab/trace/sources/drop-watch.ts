// A private instance of the kernel's tracer (tracefs) for the length of one trace. Others' tracing is not touched.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { joinDrops, parseTraceLine, wallClock } from './drop-events.ts';
import type { Drop } from './drop-events.ts';

const usual = '/sys/kernel/tracing';
const events = ['skb/kfree_skb', 'net/netif_receive_skb', 'net/net_dev_start_xmit'] as const;
/** Per CPU; a second of a busy lab fits. */
const bufferKb = 4096;

/** tracefs where the machine has it, else mounted for this trace alone. */
interface Mount {
  readonly root: string;
  readonly isOwn: boolean;
}

function mountTracefs(): Mount | string {
  if (existsSync(`${usual}/instances`)) return { root: usual, isOwn: false };
  const root = mkdtempSync(join(tmpdir(), 'podwire-tracefs-'));
  const mount = spawnSync('/bin/mount', ['-t', 'tracefs', 'nodev', root], { encoding: 'utf8' });
  if (mount.status === 0) return { root, isOwn: true };
  rmdirSync(root);
  return `tracefs cannot be mounted: ${mount.stderr.trim()}`;
}

function unmount({ root, isOwn }: Mount): void {
  if (isOwn && spawnSync('/bin/umount', [root]).status === 0) rmdirSync(root);
}

/** Instances of traces that were killed hold kernel memory until somebody takes them away. */
function sweep(root: string): void {
  for (const name of readdirSync(`${root}/instances`)) {
    const pid = /^pw-trace-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || existsSync(`/proc/${pid}`)) continue;
    try {
      rmdirSync(`${root}/instances/${name}`);
    } catch {
      // Another trace sweeps at the same time.
    }
  }
}

export class DropWatch implements Disposable {
  readonly #mount: Mount;
  readonly #directory: string;

  private constructor(mount: Mount) {
    this.#mount = mount;
    this.#directory = `${mount.root}/instances/pw-trace-${process.pid}-${randomBytes(4).toString('hex')}`;
  }

  /** Starts recording. `undefined` when drop reasons cannot be had here; `note` then hears why. */
  static open(note: (problem: string) => void): DropWatch | undefined {
    const mount = mountTracefs();
    if (typeof mount === 'string') {
      note(`no drop reasons: ${mount}`);
      return undefined;
    }
    const missing = events.filter((event) => !existsSync(`${mount.root}/events/${event}`));
    if (missing.length > 0) {
      unmount(mount);
      note(`no drop reasons: this kernel has no tracepoint ${missing.join(', ')}`);
      return undefined;
    }
    sweep(mount.root);
    const watch = new DropWatch(mount);
    try {
      watch.#start();
      return watch;
    } catch (error) {
      watch[Symbol.dispose]();
      throw error;
    }
  }

  /** The tracer keeps TAI, which is whole seconds from the wall clock that stamps captures, also while that is being set. */
  #start(): void {
    mkdirSync(this.#directory);
    writeFileSync(`${this.#directory}/trace_clock`, 'tai');
    writeFileSync(`${this.#directory}/buffer_size_kb`, String(bufferKb));
    writeFileSync(`${this.#directory}/trace_marker`, wallClock.mark(Date.now()));
    for (const event of events) writeFileSync(`${this.#directory}/events/${event}/enable`, '1');
  }

  /** Ends the recording: the drops, stamped by the wall clock. The tracer is machine-wide: the caller picks those of its own packet. */
  drops(note: (problem: string) => void): readonly Drop[] {
    writeFileSync(`${this.#directory}/tracing_on`, '0');
    const lines = readFileSync(`${this.#directory}/trace`, 'utf8').split('\n');
    if (this.#lost() > 0) note('some drop reasons were lost: the machine sends more packets than the tracer holds');
    const aheadNs = wallClock.aheadNs(lines);
    return joinDrops(lines.map(parseTraceLine).filter((event) => event !== undefined).map((event) => ({ ...event, timeNs: event.timeNs - aheadNs })));
  }

  /** Events that newer ones have overwritten. */
  #lost(): number {
    const cpus = readdirSync(`${this.#directory}/per_cpu`);
    return cpus.reduce((sum, cpu) => sum + Number(/^overrun: (\d+)/m.exec(readFileSync(`${this.#directory}/per_cpu/${cpu}/stats`, 'utf8'))?.[1] ?? 0), 0);
  }

  [Symbol.dispose](): void {
    if (existsSync(this.#directory)) rmdirSync(this.#directory);
    unmount(this.#mount);
  }
}
