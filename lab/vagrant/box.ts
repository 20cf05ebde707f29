// A Vagrant box (provider libvirt) of Debian 12, made on this machine by debootstrap: no download of a stranger's image, and everything the
// machines need is in it, since they have no way out. The kernel is booted directly, so the disk needs no boot loader.
import { appendFileSync, copyFileSync, existsSync, globSync, mkdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabError } from '../errors.ts';
import { run } from '../processes/run.ts';

export interface Box {
  readonly file: string;
  readonly kernel: string;
  readonly initrd: string;
}

const diskGiB = 6;

const packages = [
  // a machine that Vagrant can handle
  'systemd-sysv', 'dbus', 'udev', 'initramfs-tools', 'ifupdown', 'isc-dhcp-client', 'openssh-server', 'sudo', 'rsync',
  // what lab/setup.sh and provision.sh would install
  'iproute2', 'nftables', 'util-linux', 'mount', 'conntrack', 'kmod', 'procps', 'tini', 'libc-bin', 'busybox-static', 'ca-certificates', 'docker.io', 'curl',
] as const;

export interface BoxOptions {
  /** A Debian archive; debootstrap's own default when absent. */
  readonly mirror?: string;
  /** The program. */
  readonly kubectl: string;
  /** The source tree as the machines get it: what is in the box need not cross an emulated network. */
  readonly tree: string;
  readonly note: (text: string) => void;
}

/** What a program mounts and starts below the box's root is gone with it, even when it is killed half way. tini reaps what it leaves behind. */
const ownNamespaces = ['/usr/bin/unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child', '/usr/bin/tini-static', '--'] as const;

/** chroot ROOT ARGV, with the kernel's file systems in it. */
function insideBox(root: string, argv: readonly string[]): Promise<string> {
  const script = 'root=$1; shift; mount --bind "$root" "$root"; for place in proc sys dev; do mount --rbind "/$place" "$root/$place"; done; mount -t tmpfs tmpfs "$root/run"; exec chroot "$root" "$@"';
  return run([...ownNamespaces, '/bin/sh', '-euc', script, 'sh', root, ...argv], { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } });
}

const unused = [
  'apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer', 'e2scrub_all.timer', 'e2scrub_reap.service', 'fstrim.timer', 'systemd-tmpfiles-clean.timer',
  'getty@tty1.service', 'modprobe@dm_mod.service', 'modprobe@drm.service', 'modprobe@efi_pstore.service', 'modprobe@fuse.service', 'modprobe@loop.service', 'systemd-pstore.service',
] as const;

/** Everything by name inside `folder`, which the caller removes. */
export async function makeBox(folder: string, options: BoxOptions): Promise<Box> {
  const root = join(folder, 'root');
  const arch = process.arch === 'arm64' ? 'arm64' : 'amd64';
  options.note('box: debootstrap');
  await run([...ownNamespaces, '/usr/sbin/debootstrap', '--variant=minbase', `--include=${[...packages, `linux-image-cloud-${arch}`].join(',')}`, 'bookworm', root, ...(options.mirror === undefined ? [] : [options.mirror])]);
  await furnish(root, folder, options.kubectl);
  options.note('box: Podwire and its images');
  await installTree(root, options.tree);
  const box: Box = { file: join(folder, 'podwire.box'), kernel: bootFile(root, 'vmlinuz-*'), initrd: bootFile(root, 'initrd.img-*') };
  const [kernel, initrd] = [join(folder, 'vmlinuz'), join(folder, 'initrd')];
  copyFileSync(box.kernel, kernel);
  copyFileSync(box.initrd, initrd);
  options.note('box: disk');
  const raw = join(folder, 'disk.raw');
  await run(['/usr/sbin/mkfs.ext4', '-q', '-F', '-L', 'podwire', '-d', root, raw, `${diskGiB}G`]);
  rmSync(root, { recursive: true, force: true });
  await run(['/usr/bin/qemu-img', 'convert', '-O', 'qcow2', raw, join(folder, 'box.img')]);
  rmSync(raw);
  writeFileSync(join(folder, 'metadata.json'), JSON.stringify({ provider: 'libvirt', format: 'qcow2', virtual_size: diskGiB }));
  writeFileSync(join(folder, 'Vagrantfile'), `Vagrant.configure('2') do |config|\n  config.ssh.insert_key = false\n  config.ssh.private_key_path = '${join(folder, 'key')}'\nend\n`);
  await run(['/usr/bin/tar', '-C', folder, '-cf', box.file, 'metadata.json', 'Vagrantfile', 'box.img']);
  rmSync(join(folder, 'box.img'));
  return { ...box, kernel, initrd };
}

/** The tree where Vagrant will copy it again, and its images in the engine, which would take an emulated machine minutes. */
async function installTree(root: string, tree: string): Promise<void> {
  const here = join(root, 'opt/podwire');
  mkdirSync(here, { recursive: true });
  await run(['/usr/bin/rsync', '--archive', `${tree}/`, here]);
  const node = `node_modules/node-linux-${process.arch}/bin/node`;
  // An image is known by the times of its files, and the file system of the box keeps whole seconds.
  const seconds = Math.floor(statSync(join(here, node)).mtimeMs / 1000);
  utimesSync(join(here, node), seconds, seconds);
  await insideBox(root, [join('/opt/podwire', node), '/opt/podwire/lab/vagrant/prepare-box.ts']);
}

function bootFile(root: string, pattern: string): string {
  const [name] = globSync(pattern, { cwd: join(root, 'boot') });
  if (name === undefined) throw new LabError('EFAILED', `the box has no boot/${pattern}; its kernel package did not install`);
  return join(root, 'boot', name);
}

/** User, keys, network and what else makes a Debian tree a Vagrant machine. */
async function furnish(root: string, folder: string, kubectl: string): Promise<void> {
  const key = join(folder, 'key');
  // RSA in PEM: Vagrant's own SSH library reads other kinds only with further gems.
  await run(['/usr/bin/ssh-keygen', '-q', '-t', 'rsa', '-b', '3072', '-m', 'PEM', '-N', '', '-C', 'podwire-box', '-f', key]);
  const chroot = (...argv: readonly string[]): Promise<string> => run(['/usr/sbin/chroot', root, ...argv]);
  await chroot('/usr/sbin/useradd', '--create-home', '--shell', '/bin/bash', 'vagrant');
  mkdirSync(join(root, 'home/vagrant/.ssh'), { mode: 0o700 });
  copyFileSync(`${key}.pub`, join(root, 'home/vagrant/.ssh/authorized_keys'));
  await chroot('/bin/chown', '-R', 'vagrant:vagrant', '/home/vagrant/.ssh');
  const texts: Readonly<Record<string, string>> = {
    'etc/sudoers.d/vagrant': 'vagrant ALL=(ALL) NOPASSWD: ALL\n',
    'etc/fstab': '/dev/vda / ext4 defaults 0 1\n',
    'etc/hostname': 'podwire\n',
    'etc/motd': '',
    'etc/hosts': '127.0.0.1 localhost\n127.0.1.1 podwire\n',
    'etc/network/interfaces': 'source /etc/network/interfaces.d/*\nauto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\n',
    // Cleared, not removed: each machine makes its own at its first boot.
    'etc/machine-id': '',
  };
  for (const [path, text] of Object.entries(texts)) writeFileSync(join(root, path), text, { mode: path.includes('sudoers') ? 0o440 : 0o644 });
  rmSync(join(root, 'var/lib/dbus/machine-id'), { force: true });
  appendFileSync(join(root, 'etc/ssh/sshd_config'), 'UseDNS no\n');
  copyFileSync(kubectl, join(root, 'usr/local/bin/kubectl'));
  // Of an initial RAM disk the machines need the disk's driver; and a small one is unpacked sooner.
  writeFileSync(join(root, 'etc/initramfs-tools/modules'), 'virtio_pci\nvirtio_blk\next4\n');
  writeFileSync(join(root, 'etc/initramfs-tools/conf.d/podwire'), 'MODULES=list\nCOMPRESS=gzip\n');
  await insideBox(root, ['/usr/sbin/update-initramfs', '-u']);
  // Nothing that a machine of some minutes has no use for may take its one emulated processor.
  await chroot('/bin/systemctl', 'mask', '--quiet', ...unused);
  await chroot('/bin/systemctl', 'set-default', 'multi-user.target');
  // As provision.sh would have it: it finds a running engine without a bridge, and nothing to enable or restart.
  mkdirSync(join(root, 'etc/docker'), { recursive: true });
  copyFileSync(join(import.meta.dirname, 'daemon.json'), join(root, 'etc/docker/daemon.json'));
  if (!existsSync(join(root, 'usr/sbin/dockerd'))) throw new LabError('EFAILED', 'the box has no dockerd; debootstrap left docker.io out');
}
