#!/bin/bash
# ip address restore: addresses come to the interface with the same number, not with the same name
#
# Versions: iproute2 6.15.0-1 (Debian 13).
#
# Expected: `ip address save` of one machine or network namespace, and `ip address restore` in the next one, which has
# interfaces of the same names: each gets back what it had, or there is an error.  And what is there twice is refused.
#
# Seen, of two namespaces with eth0 and eth1, made in another order:
#   ip address restore   eth0 has the address of eth1, and eth1 that of eth0; exit 0.  The stream has the kernel's messages as
#                        they are, with interface indexes.
#   ip rule restore      the rules of the kernel itself, which the stream has too, are there a second time, and after the next
#                        restore a third; the one of priority 0 gets the next free number at the end; exit 0.
# ip-route(8) says of `ip route restore` that indexes have to be translated in the stream before.
#
# Where it matters: a container's or a machine's network that is kept over a restart: an index depends on the order in which
# interfaces came.  It works each time until a second interface comes first.
#
# Needs: root, mmdebstrap, unshare, a kernel with veth.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,base-files,dash,coreutils,mount' trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys}

cat >"$tree/show" <<'EOP'
set -eu
for name in before after; do ip netns add $name; done
ip -n before link add eth0 index 10 type veth peer name other0 index 11
ip -n before link add eth1 index 20 type veth peer name other1 index 21
ip -n after link add eth1 index 10 type veth peer name other1 index 11
ip -n after link add eth0 index 20 type veth peer name other0 index 21
ip -n before address add 10.0.0.1/24 dev eth0
ip -n before address add 10.1.0.1/24 dev eth1
ip -n before address save >/addresses
ip -n before rule save >/rules
status=0; ip -n after address restore </addresses || status=$?
echo "address restore: exit $status"
for name in before after; do
    for link in eth0 eth1; do echo "$name: $(ip -n $name -brief address show dev $link | tr -s ' ' | cut -d' ' -f1,3)"; done
done
for times in first second; do
    status=0; ip -n after rule restore </rules || status=$?
    echo "rule restore, $times: exit $status"
done
ip -n after rule | tr -s '\t' ' '
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c 'mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc &&
    mount --rbind /dev dev && mount -t tmpfs tmpfs run && mount -t sysfs sysfs sys && exec chroot . sh /show' - "$tree" |
    tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
address restore: exit 0
before: eth0@other0 10.0.0.1/24
before: eth1@other1 10.1.0.1/24
after: eth0@other0 10.1.0.1/24
after: eth1@other1 10.0.0.1/24
rule restore, first: exit 0
rule restore, second: exit 0
0: from all lookup local
32764: from all lookup local
32765: from all lookup local
32766: from all lookup main
32766: from all lookup main
32766: from all lookup main
32767: from all lookup default
32767: from all lookup default
32767: from all lookup default
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
