#!/bin/sh
# What Podwire needs of the kernel, tried in a throw-away network namespace. Prints one line for each thing that is missing and
# exits 2 then; prints nothing and exits 0 when all is there. Run by lab/setup.sh and by `podwire up`. Needs root.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
release=$(uname -r)
major=${release%%.*}
rest=${release#*.}
minor=${rest%%[!0-9]*}
if [ "$major" -lt 6 ] || { [ "$major" -eq 6 ] && [ "${minor:-0}" -lt 1 ]; }; then
  echo "kernel $release is too old: Podwire needs Linux 6.1 or later (Debian 12 has it)"
  exit 2
fi
# Built in, or loaded here; what cannot be had shows below. br_netfilter also makes the machine's own bridges pass netfilter.
for module in nf_tables nf_conntrack veth bridge br_netfilter vxlan overlay; do
  modprobe -q "$module" 2>/dev/null || true
done
grep -q 'overlay$' /proc/filesystems || echo "overlay file system : the Docker engine needs it"
unshare --net sh -s <<'INSIDE'
lack() { echo "$1: $2"; }
ip link add pw-a type veth peer name pw-b 2>/dev/null || lack "veth pairs (module veth)" "pods are attached with them"
ip link add pw-br type bridge 2>/dev/null || lack "bridges (module bridge)" "the nodes' pod bridge"
ip link add pw-vx type vxlan id 1 dstport 4789 local 127.0.0.1 dev lo 2>/dev/null || lack "VXLAN (module vxlan)" "pods reach other nodes through it; --network-mode host-gw does without"
[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] || lack "bridge netfilter (module br_netfilter)" "Services between pods of one node need it; --pod-interface ptp does without"
nft -f - 2>/dev/null <<'RULES' || lack "nftables with NAT, maps and numgen (modules nf_tables, nft_nat, nft_numgen, nft_ct, nft_masq)" "Services are made of them"
table ip pw-check {
  map ids { typeof ip daddr . meta l4proto . th dport : ct mark; }
  chain pre { type nat hook prerouting priority -100; ct mark set numgen random mod 2; dnat to 192.0.2.1; }
  chain post { type nat hook postrouting priority 100; ct mark 1 masquerade; }
}
RULES
INSIDE
