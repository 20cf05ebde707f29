// libvirtd inside namespaces of this process: its state, sockets, networks and machines are seen by nobody else and end with us. Must be
// called in fresh mount, network and pid namespaces (run-vms.ts sees to it).
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { LabError } from '../errors.ts';
import { run, tryRun } from '../processes/run.ts';

const socket = '/run/libvirt/libvirt-sock';
const startTimeoutMs = 60_000;

/** root runs QEMU: no confinement or control groups, which would reach out of the namespaces. */
const qemuConf = 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\ndynamic_ownership = 0\nremember_owner = 0\ncgroup_controllers = [ ]\nnamespaces = [ ]\nstdio_handler = "file"\n';
const libvirtdConf = 'auth_unix_rw = "none"\nauth_unix_ro = "none"\nunix_sock_group = "root"\n';

export async function startLibvirt(folder: string): Promise<void> {
  const mount = (...argv: readonly string[]): Promise<string> => run(['/usr/bin/mount', ...argv]);
  await mount('--make-rprivate', '/');
  // sysfs shows the devices of the network namespace it was mounted in; libvirt sets up its bridges there.
  await mount('-t', 'sysfs', 'sysfs', '/sys');
  await mount('-t', 'tmpfs', 'tmpfs', '/run');
  for (const path of ['/run/libvirt', '/run/lock']) mkdirSync(path, { recursive: true });
  for (const path of ['/var/lib/libvirt', '/var/cache/libvirt', '/var/log/libvirt', '/etc/libvirt']) {
    const own = join(folder, 'libvirt', path);
    mkdirSync(own, { recursive: true });
    if (path === '/etc/libvirt') cpSync(path, own, { recursive: true });
    mkdirSync(path, { recursive: true });
    await mount('--bind', own, path);
  }
  for (const path of ['images', 'qemu', 'boot', 'dnsmasq', 'network']) mkdirSync(join('/var/lib/libvirt', path), { recursive: true });
  writeFileSync('/etc/libvirt/qemu.conf', qemuConf);
  writeFileSync('/etc/libvirt/libvirtd.conf', libvirtdConf);
  // Where hardware virtualisation is announced and does not work, asking for it hangs: nobody may ask.
  if (existsSync('/dev/kvm')) await mount('--bind', '/dev/null', '/dev/kvm');
  await run(['/usr/sbin/ip', 'link', 'set', 'lo', 'up']);
  const log = join(folder, 'libvirtd.log');
  const output = openSync(log, 'a');
  const child = spawn('/usr/sbin/libvirtd', [], { stdio: ['ignore', output, output] });
  let problem: string | undefined;
  child.once('error', (error) => { problem = error.message; }).once('exit', (code) => { problem = `ended with ${String(code)}`; });
  child.unref();
  const deadline = performance.now() + startTimeoutMs;
  while (!existsSync(socket) || (await tryRun(['/usr/bin/virsh', '-c', 'qemu:///system', 'version'])).code !== 0) {
    if (problem !== undefined || performance.now() > deadline) throw new LabError('EFAILED', `libvirtd ${problem ?? 'does not answer'}. Its log:\n${readFileSync(log, 'utf8').slice(-4000)}`);
    await delay(200);
  }
}
