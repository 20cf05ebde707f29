// A proxy as a program, ours or kube-proxy, measured from outside by what the kernel holds: both read the same configuration file.
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { runNft } from 'nftables-js';
import type { KernelNft } from 'nftables-js';
import { DIE_WITH_ME, SETPRIV, peerPath } from '../../scripts/peers/binaries.ts';

export type Program = 'podwire' | 'kube-proxy';
export interface Start { readonly wallMs: number; /** Of the program and the `nft` processes that it has started. */ readonly cpuMs: number; readonly rssMiB: number }

/** The map whose rows are Services; it is the last to be filled. */
const SERVICES: Readonly<Record<Program, readonly string[]>> = { podwire: ['ip', 'podwire', 'service'], 'kube-proxy': ['ip', 'kube-proxy', 'service-ips'] };
const LAUNCHER = new URL('../../podwire', import.meta.url).pathname;
const TICK_MS = 10;

/** Nothing is set on the machine (conntrack), and no change waits: 1 ms is the shortest that kube-proxy takes (0 means its default, a second). */
export function writeConfig(directory: string, kubeconfig: string): string {
  const path = join(directory, 'kube-proxy.yaml');
  writeFileSync(path, JSON.stringify({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1', kind: 'KubeProxyConfiguration', mode: 'nftables', clientConnection: { kubeconfig }, clusterCIDR: '10.244.0.0/16', hostnameOverride: 'node1',
    nftables: { minSyncPeriod: '1ms', syncPeriod: '1h' }, conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s', udpTimeout: '0s', udpStreamTimeout: '0s' },
  }));
  return path;
}

export class MeasuredProgram implements AsyncDisposable {
  readonly #program: Program;
  readonly #child: ChildProcess;
  readonly #nft: KernelNft;
  readonly #log: string;
  readonly #startedAt = performance.now();

  constructor(program: Program, config: string, nft: KernelNft, directory: string) {
    this.#program = program;
    this.#nft = nft;
    this.#log = join(directory, `${program}.log`);
    const argv = program === 'podwire' ? [LAUNCHER, 'proxy', '--config', config] : [peerPath('kube-proxy'), '--config', config];
    const log = openSync(this.#log, 'w');
    // kube-proxy calls `nft` by the PATH; npm's holds another program of that name.
    this.#child = spawn(SETPRIV, [...DIE_WITH_ME, ...argv], { stdio: ['ignore', log, log], env: { ...process.env, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
    closeSync(log);
  }

  /** From exec to the last change after which every Service is there. Throws when the program ends, or after `limitMs`. */
  async started(services: number, limitMs: number): Promise<Start> {
    let generation = await this.#nft.generation();
    let changedAt = performance.now();
    let looked = -1;
    for (;;) {
      const now = await this.#nft.generation();
      if (now !== generation) {
        generation = now;
        changedAt = performance.now();
      } else if (looked !== generation && performance.now() - changedAt > 300) { // quiet for a while: look, which costs the kernel time, once
        looked = generation;
        if (await this.#rows() >= services) break;
      }
      if (this.#child.exitCode !== null) throw new Error(`${this.#program} has ended:\n${this.#said()}`);
      if (performance.now() - this.#startedAt > limitMs) throw new Error(`${this.#program} has not programmed ${services} Services within ${limitMs / 1000} s:\n${this.#said()}`);
      await delay(2);
    }
    const wallMs = changedAt - this.#startedAt;
    const cpuMs = await this.cpuMs();
    const rssMiB = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${this.#child.pid ?? 0}/status`, 'utf8'))?.[1]) / 1024;
    return { wallMs, cpuMs, rssMiB };
  }

  /** CPU time so far, of the program and of the `nft` processes that it has started; waits for those, whose time counts when they end. */
  async cpuMs(): Promise<number> {
    const pid = this.#child.pid ?? 0;
    const tasks = (): string[] => readdirSync(`/proc/${pid}/task`);
    while (tasks().some((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8') !== '')) await delay(5);
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ').slice(13, 17).reduce((sum, ticks) => sum + Number(ticks) * TICK_MS, 0);
  }

  /** Makes one change; milliseconds until the kernel has changed. */
  async changed(change: () => Promise<unknown>): Promise<number> {
    const generation = await this.#nft.generation();
    const before = performance.now();
    const made = change();
    while (await this.#nft.generation() === generation) {
      if (performance.now() - before > 60_000) throw new Error(`${this.#program} has not programmed a change within a minute`);
      await delay(1);
    }
    const took = performance.now() - before;
    await made;
    return took;
  }

  /** Waits until nothing has changed for a while: what a proxy tidies up later is not the next change. */
  async quiet(ms = 300): Promise<void> {
    let generation = await this.#nft.generation();
    for (let since = performance.now(); performance.now() - since < ms;) {
      await delay(20);
      const now = await this.#nft.generation();
      if (now !== generation) since = performance.now();
      generation = now;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit');
      this.#child.kill('SIGKILL');
      await gone;
    }
    await runNft(['flush', 'ruleset'], '');
  }

  #said(): string { return readFileSync(this.#log, 'utf8').slice(-2000); }

  async #rows(): Promise<number> {
    const text = await runNft(['list', 'map', ...SERVICES[this.#program]], '').catch(() => '');
    return text.split(' . tcp . ').length - 1;
  }
}
