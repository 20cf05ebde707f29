# A machine of the Vagrant lab for a test: the real provisioning script on overlays of /etc, /var/lib and /var/cache in a mount namespace of
# its own, with a systemctl that keeps its state in files and really starts the services that the test names. Runs the script twice
# and leaves what the test looks at in OUT. Usage: vagrant-machine.sh OUT DOCKER-SOCKET "SERVICES" PROVISION-ARGUMENT...
set -eu
out=$1 socket=$2 services=$3
shift 3
mount --make-rprivate /
mkdir -p "$out/machine"
mount -t tmpfs none "$out/machine"
machine="$out/machine"

mkdir -p "$machine/run" "$machine/state"
: >"$machine/run/docker.sock"
mount --bind "$socket" "$machine/run/docker.sock"
mkdir -p /var/cache
for folder in etc var/lib var/cache; do
  flat=$(echo "$folder" | tr / -)
  mkdir -p "$machine/upper/$flat" "$machine/scratch/$flat"
  mount -t overlay -o "lowerdir=/$folder,upperdir=$machine/upper/$flat,workdir=$machine/scratch/$flat" overlay "/$folder"
done
mount --rbind "$machine/run" /run

cat >"$machine/systemctl" <<STUB
#!/bin/sh
state="$machine/state"
services="$services"
out="$out"
STUB
cat >>"$machine/systemctl" <<'STUB'
echo "$*" >>"$out/systemctl.log"
verb=$1
for unit; do :; done
case "$verb" in
  is-enabled) [ -e "$state/$unit.enabled" ] ;;
  is-active) [ -e "$state/$unit.active" ] ;;
  enable) : >"$state/$unit.enabled" ;;
  start | restart)
    : >"$state/$unit.active"
    case " $services " in *" $unit "*)
      command=$(sed -n 's/^ExecStart=//p' "/etc/systemd/system/$unit")
      variables=$(sed -n 's/^Environment=//p' "/etc/systemd/system/$unit")
      setsid sh -c "exec env $variables $command" >"$out/$unit.log" 2>&1 </dev/null &
      ;;
    esac ;;
esac
STUB
chmod 755 "$machine/systemctl"
mount --bind "$machine/systemctl" /usr/bin/systemctl

# Name, content, time and inode of every file that a run could write; not the store of a running server.
snapshot() {
  find "$machine/upper" -path '*/podwire/apiserver/*' ! -path '*/apiserver/pki*' -prune -o -path '*/podwire/agent' -prune -o -path '*/podwire/compile' -prune -o -type f -printf '%P %i %T@ %m %s\n' | sort
}
sh lab/vagrant/provision.sh "$@" >"$out/first" 2>&1 || { cat "$out/first"; exit 1; }
snapshot >"$out/files-1"
sh lab/vagrant/provision.sh "$@" >"$out/second" 2>&1 || { cat "$out/second"; exit 1; }
snapshot >"$out/files-2"
cp /etc/machine-id "$out/machine-id"
cp -r /etc/podwire "$out/credentials"
