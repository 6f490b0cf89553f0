#!/bin/bash
# An interface that is moved into a network namespace keeps its MTU, names and flags, and loses traffic limits and sysctls
#
# Versions: Linux 6.18, iproute2 6.15.0-1 (Debian 13).
#
# Expected: ip-link(8): `ip link set DEVICE netns NAME` moves the device.  That addresses and routes belong to the namespace
# is well known; what is set on the device itself goes with it.
#
# Seen, of a veth that is set up and then moved; exit 0, with no message:
#   kept    MTU, length of the queue, alias, second name, group, promiscuous and allmulticast.
#   lost    its queueing discipline, so a limit of 1 Mbit/s is none; ingress with its filters;
#           proxy_arp, rp_filter and disable_ipv6: they are as for a new device in that namespace.
#
# Where it matters: who prepares a device on the host and hands it to a container (`ip link set … netns`, and
# whatever else moves it): the traffic is not limited, IPv6 that was off is on, and a filter that sends packets
# elsewhere is gone.
#
# Needs: root, mmdebstrap, unshare, nsenter, a kernel with veth, sch_tbf and sch_ingress.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,base-files,dash,coreutils,sed' trixie "$tree"
mkdir -p "$tree"/{proc,sys}

cat >"$tree/state" <<'EOP'
# state TITLE: what the device has
set -eu
link=$(ip -d link show it)
# word NAME: what comes after it
word() { echo "$link" | sed -nE "s/.*\b$1 ([^ ]+).*/$1 \1/p" | head -n 1; }
echo "$1: $(word mtu), $(word qlen), $(word alias), $(word altname), $(word group), $(word promiscuity), $(word allmulti)"
echo "$1: $(tc qdisc show dev it | sed -E 's/^qdisc ([a-z]+) .*( rate [^ ]+).*/\1\2/; s/^qdisc ([a-z]+) .*/\1/' | tr '\n' ',')" \
    "filters: $(tc filter show dev it ingress | sed -n '/flowid/p' | wc -l)"
for name in ipv4/conf/it/proxy_arp ipv4/conf/it/rp_filter ipv6/conf/it/disable_ipv6; do
    echo "$1: $name $(cat /proc/sys/net/$name)"
done
EOP
cat >"$tree/set-up" <<'EOP'
set -eu
ip link set it mtu 1400 txqueuelen 77 alias word group 5
ip link property add dev it altname second
ip link set it up promisc on allmulticast on
tc qdisc add dev it root tbf rate 1mbit burst 4000 latency 5ms
tc qdisc add dev it ingress
tc filter add dev it ingress protocol all u32 match u32 0 0 flowid :1
echo 1 >/proc/sys/net/ipv4/conf/it/proxy_arp
echo 2 >/proc/sys/net/ipv4/conf/it/rp_filter
echo 1 >/proc/sys/net/ipv6/conf/it/disable_ipv6
EOP
cat >"$tmp/show" <<'EOP'
set -eu
mount --bind "$tmp" "$tmp"
mount --make-private "$tmp"
mount -t proc proc "$tree/proc"
mount -t proc proc /proc
: >"$tmp/inside"
unshare --net="$tmp/inside" chroot "$tree" ip link set lo up
# shellcheck disable=SC2016 # for the inner shell
nsenter --net="$tmp/inside" sh -c 'cd /proc/sys/net && echo 0 | tee ipv4/conf/all/rp_filter ipv4/conf/default/rp_filter \
    ipv4/conf/default/proxy_arp ipv6/conf/default/disable_ipv6' >"$tmp/said"
chroot "$tree" ip link add it type veth peer name other
chroot "$tree" sh /set-up
chroot "$tree" sh /state before
# By its descriptor, as it has no name below /run/netns.
nsenter --net="$tmp/inside" sleep 100 &
until [ "$(readlink /proc/$!/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
chroot "$tree" ip link set it netns $!
nsenter --net="$tmp/inside" chroot "$tree" ip link set it up
nsenter --net="$tmp/inside" chroot "$tree" sh /state moved
kill $!
EOP
export tmp tree
unshare --mount --net --pid --fork --kill-child sh "$tmp/show" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
before: mtu 1400, qlen 77, alias word, altname second, group 5, promiscuity 1, allmulti 1
before: tbf rate 1Mbit,ingress, filters: 1
before: ipv4/conf/it/proxy_arp 1
before: ipv4/conf/it/rp_filter 2
before: ipv6/conf/it/disable_ipv6 1
moved: mtu 1400, qlen 77, alias word, altname second, group 5, promiscuity 1, allmulti 1
moved: noqueue, filters: 0
moved: ipv4/conf/it/proxy_arp 0
moved: ipv4/conf/it/rp_filter 0
moved: ipv6/conf/it/disable_ipv6 0
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
