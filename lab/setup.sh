#!/bin/sh
# Everything Podwire needs on a machine, behind `npm start` and `npm test`: Debian packages, npm packages, kubectl, a look at the
# kernel. Quick when nothing is missing. `--test` adds what only the tests need.
# Exit codes: 0 all is there, 2 something is missing that this script may not or cannot install; it says what.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cache="${PODWIRE_CACHE_DIR:-$here/.cache}"
PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin:$PATH
export PATH

say() { echo "setup: $*"; }
fail() {
  echo "setup: $*" >&2
  exit 2
}

for_tests=no
case "${1:-}" in
  --test) for_tests=yes ;;
  '') ;;
  -h | --help)
    echo "usage: sh lab/setup.sh [--test]"
    echo "Installs what is missing: Debian packages, npm packages, kubectl. --test adds what the tests need."
    exit 0 ;;
  *) fail "unknown option $1; see sh lab/setup.sh --help" ;;
esac

[ "$(uname -s)" = Linux ] || fail "Podwire runs on Linux (its nodes are network namespaces); use a Debian 12 machine or VM"

# "program package": a program that must be there, and the Debian package that brings it.
needs='ip iproute2
nft nftables
nsenter util-linux
mount mount
conntrack conntrack
modprobe kmod
sysctl procps
tini-static tini
ldd libc-bin'
[ "$for_tests" = no ] || needs="$needs
tcpdump tcpdump
openssl openssl
curl curl
git git"

# Debian packages, none of whose services is started: the engine and the stores here are started by who needs them.
listed=no
apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  [ "$listed" = yes ] || apt-get update -q >/dev/null 2>&1 || say "apt-get update failed; trying with the lists at hand"
  listed=yes
  policy=/usr/sbin/policy-rc.d
  if [ -e "$policy" ]; then
    apt-get install -y -q --no-install-recommends "$@" >/dev/null
    return
  fi
  trap 'rm -f "$policy"' EXIT
  trap 'exit 130' INT TERM
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  apt-get install -y -q --no-install-recommends "$@" >/dev/null && installed=0 || installed=$?
  rm -f "$policy"
  trap - EXIT INT TERM
  return "$installed"
}

missing=''
need() {
  command -v "$1" >/dev/null 2>&1 && return 0
  case " $missing " in *" $2 "*) ;; *) missing="$missing $2" ;; esac
}
while read -r program package; do need "$program" "$package"; done <<LIST
$needs
LIST
# Pods run on bare file systems: busybox must not need libraries.
if ! command -v busybox >/dev/null 2>&1 || ldd "$(command -v busybox)" >/dev/null 2>&1; then missing="$missing busybox-static"; fi
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing="$missing ca-certificates"
# An engine that answers is used as it is; else the lab starts one of its own and needs the programs.
engine_answers() { [ -S /var/run/docker.sock ] || [ -n "${DOCKER_HOST:-}" ]; }
if ! engine_answers; then
  need dockerd docker.io
  need containerd docker.io
fi

if [ -n "$missing" ]; then
  command -v apt-get >/dev/null 2>&1 || fail "missing:$missing (names of Debian's packages). This is not Debian: install what brings them here, then run this again"
  [ "$(id -u)" -eq 0 ] || fail "missing:$missing. Run as root, or: sudo apt-get install$missing"
  say "installing Debian packages:$missing"
  # shellcheck disable=SC2086 # a list of names
  apt_install $missing || fail "apt-get could not install:$missing; run it by hand to see why"
fi

# Peers that some tests meet: another store, another runtime with the reference plugins, a browser, a reader of the Vagrantfile. Where one
# cannot be had (Debian 13 has no Vagrant), its tests are skipped and say so.
if [ "$for_tests" = yes ] && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
  while read -r program package; do
    command -v "$program" >/dev/null 2>&1 || [ -x "$program" ] && continue
    say "installing Debian package: $package"
    apt_install "$package" 2>/dev/null </dev/null || say "$package cannot be installed; its tests will be skipped"
  done <<'LIST'
etcd etcd-server
podman podman
/usr/lib/cni/bridge containernetworking-plugins
chromium chromium
vagrant vagrant
LIST
fi

# npm packages: as the lockfile says, without running anybody's install scripts.
if [ ! -e "$here/node_modules/.package-lock.json" ] || [ "$here/package-lock.json" -nt "$here/node_modules/.package-lock.json" ]; then
  command -v npm >/dev/null 2>&1 || fail "npm is missing; install Node.js with npm (Debian: apt-get install npm)"
  say "installing npm packages"
  (cd "$here" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || fail "npm ci failed; see above"
  touch "$here/node_modules/.package-lock.json"
fi

# kubectl: the machine's own; else built from its Go module; else Debian's (old, but good for the basics).
build_kubectl() {
  say "building kubectl from its Go module (takes some minutes, once)"
  work=$(mktemp -d)
  (
    cd "$work" &&
      go mod init podwire.local/kubectl >/dev/null 2>&1 &&
      printf 'package main\n\nimport (\n\t"k8s.io/component-base/cli"\n\t"k8s.io/kubectl/pkg/cmd"\n\t"k8s.io/kubectl/pkg/cmd/util"\n)\n\nfunc main() {\n\tif err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {\n\t\tutil.CheckErr(err)\n\t}\n}\n' >main.go &&
      go get k8s.io/kubectl@v0.32.4 k8s.io/component-base@v0.32.4 >/dev/null 2>&1 &&
      go mod tidy >/dev/null 2>&1 &&
      mkdir -p "$cache/bin" &&
      CGO_ENABLED=0 go build -trimpath -ldflags "-X k8s.io/component-base/version.gitVersion=v1.32.4" -o "$cache/bin/kubectl.new" . &&
      mv "$cache/bin/kubectl.new" "$cache/bin/kubectl"
  )
  built=$?
  rm -rf "$work"
  return $built
}
if ! command -v kubectl >/dev/null 2>&1 && [ ! -x "$cache/bin/kubectl" ]; then
  PATH=$PATH:/usr/local/go/bin
  if ! { command -v go >/dev/null 2>&1 && build_kubectl; }; then
    if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" -eq 0 ]; then
      say "installing kubectl from Debian's kubernetes-client"
      apt_install kubernetes-client || fail "kubectl cannot be installed; put one on the PATH"
    else
      fail "kubectl is missing; put one on the PATH (Debian: apt-get install kubernetes-client)"
    fi
  fi
fi

# The kernel is looked at once for each boot and version of the check.
if [ "$(id -u)" -eq 0 ]; then
  stamp="$cache/kernel-$(cat /proc/sys/kernel/random/boot_id)-$(cksum <"$here/lab/kernel-check.sh" | cut -d' ' -f1)"
  if [ ! -e "$stamp" ]; then
    lacking=$(sh "$here/lab/kernel-check.sh") || { echo "$lacking" >&2; fail "this kernel cannot carry Podwire; use a stock Debian 12 kernel"; }
    if [ -n "$lacking" ]; then
      echo "$lacking" >&2
      say "this kernel lacks the above; what does not need it works"
    else
      mkdir -p "$cache"
      rm -f "$cache"/kernel-*
      : >"$stamp"
    fi
  fi
else
  say "not root: enough for reading and for unit tests; the lab and the integration tests need root"
fi
