// What the machine is and has: read once, or measured when asked.
import { readFile, statfs } from 'node:fs/promises';
import os from 'node:os';

export interface Machine {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly storageBytes: number;
  readonly machineId: string;
  readonly bootId: string;
  readonly kernel: string;
  readonly osImage: string;
  readonly architecture: string;
  /** Lowest oom_score_adj that we may give: without CAP_SYS_RESOURCE nobody may go below what he has. */
  readonly lowestOomScoreAdj: number;
}

async function text(path: string): Promise<string> {
  return readFile(path, 'utf8').then((found) => found.trim(), () => '');
}

export async function readMachine(rootDir: string): Promise<Machine> {
  const disk = await statfs(rootDir);
  const capabilities = /^CapEff:\s+([0-9a-f]+)$/mu.exec(await text('/proc/self/status'))?.[1] ?? '0';
  const mayLower = (BigInt(`0x${capabilities}`) & (1n << 24n)) !== 0n;
  const release = await text('/etc/os-release');
  return {
    cpus: os.cpus().length,
    memoryBytes: os.totalmem(),
    storageBytes: disk.blocks * disk.bsize,
    machineId: await text('/etc/machine-id'),
    bootId: await text('/proc/sys/kernel/random/boot_id'),
    kernel: os.release(),
    osImage: /^PRETTY_NAME="?([^"\n]*)/mu.exec(release)?.[1] ?? 'Linux',
    lowestOomScoreAdj: mayLower ? -1000 : Number(await text('/proc/self/oom_score_adj')),
    architecture: os.arch() === 'x64' ? 'amd64' : os.arch(),
  };
}

export interface Pressure {
  readonly memoryAvailableBytes: number;
  readonly diskAvailableBytes: number;
  readonly diskBytes: number;
}

export async function readPressure(rootDir: string): Promise<Pressure> {
  const disk = await statfs(rootDir);
  const available = /^MemAvailable:\s+(\d+) kB/mu.exec(await text('/proc/meminfo'))?.[1];
  return {
    memoryAvailableBytes: available === undefined ? os.freemem() : Number(available) * 1024,
    diskAvailableBytes: disk.bavail * disk.bsize, diskBytes: disk.blocks * disk.bsize,
  };
}
