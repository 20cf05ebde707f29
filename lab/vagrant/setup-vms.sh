#!/bin/sh
# What `npm run test:vagrant` needs beside lab/setup.sh: Vagrant with libvirt, QEMU, debootstrap. Starts none of their services.
# Exit codes: 0 all is there, 2 something is missing that cannot be installed.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
[ "$(id -u)" -eq 0 ] || { echo "test:vagrant: run it as root" >&2; exit 2; }
case "$(uname -m)" in aarch64 | arm64) qemu='qemu-system-arm qemu-efi-aarch64' ;; *) qemu=qemu-system-x86 ;; esac
missing=''
for package in vagrant vagrant-libvirt libvirt-daemon-system libvirt-clients libvirt-daemon-driver-qemu $qemu qemu-utils debootstrap e2fsprogs dnsmasq-base iptables rsync openssh-client; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null 2>&1 || { echo "test:vagrant: missing:$missing; install what brings them here" >&2; exit 2; }
echo "test:vagrant: installing Debian packages:$missing"
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q >/dev/null 2>&1 || true
# shellcheck disable=SC2086 # a list of names
apt-get install -y -q --no-install-recommends $missing >/dev/null || { echo "test:vagrant: apt-get could not install:$missing" >&2; exit 2; }
