#!/bin/sh
# Makes a Debian machine a Podwire node. Can be run again at any time: what is as it should be is left alone, and the last line
# says whether anything was changed.
#   provision.sh control-plane|worker NAME IP CONTROL-PLANE-IP NAME=IP,... [MAC]
# PODWIRE_DIR is the source tree (default: the one that this script lies in); PODWIRE_JOIN_TOKEN the secret that all machines share.
# Exit codes: 0 done, 2 it could not.
set -eu
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
export DEBIAN_FRONTEND=noninteractive

fail() {
  echo "provision: $*" >&2
  exit 2
}
changes=0
changed() {
  echo "provision: changed: $*"
  changes=$((changes + 1))
}

usage='usage: provision.sh control-plane|worker NAME IP CONTROL-PLANE-IP NAME=IP,... [MAC]'
[ $# -ge 5 ] || fail "$usage"
role=$1 name=$2 ip=$3 control_ip=$4 roster=$5 mac=${6:-}
case "$role" in control-plane | worker) ;; *) fail "role $role is neither control-plane nor worker; $usage" ;; esac
[ "$(id -u)" -eq 0 ] || fail 'run it as root'
[ -n "${PODWIRE_JOIN_TOKEN:-}" ] || fail 'PODWIRE_JOIN_TOKEN is not set; give all machines the same 64 hexadecimal digits (openssl rand -hex 32)'
here=${PODWIRE_DIR:-$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)}
[ -e "$here/lab/setup.sh" ] || fail "no source tree in $here; set PODWIRE_DIR"

# Writes standard input to a file unless it has this content already. True when it had to.
put() {
  mkdir -p "$(dirname "$1")"
  cat >"$1.new"
  if cmp -s "$1.new" "$1"; then
    rm "$1.new"
    return 1
  fi
  mv "$1.new" "$1"
  changed "$1"
}

# Clones of one box share its machine-id; then DHCP may give them one address, and what is derived from the id collides.
mark=/var/lib/podwire/machine-id
if ! cmp -s "$mark" /etc/machine-id; then
  mkdir -p /var/lib/podwire
  rm -f /etc/machine-id /var/lib/dbus/machine-id
  # From the kernel's random source: systemd's own tool may take the id of the hardware, which clones can share as well.
  tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
  chmod 444 /etc/machine-id
  cp /etc/machine-id "$mark"
  # The journal's folder is named by the id: without a new start its lines are written where journalctl does not look.
  systemctl try-restart systemd-journald.service
  changed 'machine-id'
fi

# Most providers give the machine its address; where none did, the network card with that MAC gets it.
if ! ip -o -4 address show | grep -q " $ip/"; then
  device=$(ip -o link | grep -i "ether $mac" | cut -d: -f2 | cut -d@ -f1 | tr -d ' ' | head -n 1)
  [ -n "$mac" ] && [ -n "$device" ] || fail "no network card has $ip, and none has the MAC ${mac:-(not given)}: the provider made no private network"
  printf 'auto %s\niface %s inet static\n  address %s/24\n' "$device" "$device" "$ip" | put /etc/network/interfaces.d/podwire || true
  ip link set "$device" up
  ip address replace "$ip/24" dev "$device"
  changed "address $ip on $device"
fi

# Docker's own bridge and rules would drop what is forwarded between pods. In place before the package: it never starts otherwise.
docker_restart=no
if put /etc/docker/daemon.json <"$here/lab/vagrant/daemon.json"; then docker_restart=yes; fi

packages=''
want() { command -v "$1" >/dev/null 2>&1 || packages="$packages $2"; }
want dockerd docker.io
want curl curl
if [ ! -e "$here/node_modules/.package-lock.json" ] || [ "$here/package-lock.json" -nt "$here/node_modules/.package-lock.json" ]; then want npm npm; fi
if [ -n "$packages" ]; then
  apt-get update -q >/dev/null || true
  # shellcheck disable=SC2086 # a list of names
  apt-get install -y -q --no-install-recommends $packages >/dev/null || fail "apt-get could not install:$packages"
  changed "packages:$packages"
fi
sh "$here/lab/setup.sh" || fail "the set-up failed; see above"

systemctl is-enabled --quiet docker.service 2>/dev/null || systemctl enable --quiet docker.service
if [ "$docker_restart" = yes ]; then
  was_running=no
  systemctl is-active --quiet docker.service && was_running=yes
  systemctl restart docker.service
  # An engine with its own rules ran before: it left this policy behind.
  if [ "$was_running" = yes ] && command -v iptables >/dev/null 2>&1; then iptables -P FORWARD ACCEPT; fi
elif ! systemctl is-active --quiet docker.service; then
  systemctl start docker.service
  changed 'docker.service started'
fi

# The rest needs Podwire itself: credentials, services, images.
case "$(uname -m)" in aarch64 | arm64) arch=arm64 ;; *) arch=x64 ;; esac
result=$(mktemp)
trap 'rm -f "$result"' EXIT
unset NODE_OPTIONS NODE_EXTRA_CA_CERTS
export NODE_COMPILE_CACHE=/var/cache/podwire/compile
"$here/node_modules/node-linux-$arch/bin/node" "$here/lab/vagrant/provision-node.ts" "$role" "$name" "$ip" "$control_ip" "$roster" "$result" || fail "$name is not a node yet; see above"
while read -r line; do changed "$line"; done <"$result"
if [ "$changes" -eq 0 ]; then echo "provision: $name: nothing to change"; else echo "provision: $name: $changes changes"; fi
