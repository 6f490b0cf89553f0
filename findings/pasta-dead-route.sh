#!/bin/bash
# pasta --config-net: of two default routes the one whose cable is out is taken, if its metric is lower, and it gives up
#
# Versions: passt 0.0~git20250503.587980c-2+deb13u1, iproute2 6.15.0-1 (Debian 13).
#
# Expected: pasta takes the interface that the machine reaches the world by, which the kernel tells anybody who asks for
# a route.  If there is none, it goes on without one (it has a way for machines with no route at all).
#
# Seen, of a machine with two links, each with a default route, that ignores routes of links without carrier
# (net.ipv4.conf.all.ignore_routes_with_linkdown=1):
#   both links have a carrier: the namespace gets the route of the lower metric.
#   that one's link loses its carrier: the kernel takes the other route; pasta ends with "Couldn't set IPv4 route(s) in
#       guest: Invalid argument", and the command is not run.  With -i of the second link: as it should be.
#   the dead link's default route alone, or only its network's route: the same error.
# The kernel's routes are copied with their state, "linkdown" among it, which the kernel accepts of nobody.  The text
# names no route and no link.
#
# Where it matters: podman's rootless containers, which get their network of pasta, don't start on a laptop whose dock has
# been pulled and whose Wi-Fi goes on working, as long as the dead link keeps its (static) route.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='passt=0.0~git20250503.587980c-2+deb13u1,iproute2=6.15.0-1,util-linux,base-files,dash,coreutils,grep,mount' \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,sys,tmp,run}

cat >"$tree/show" <<'EOP'
# said WHAT ARGUMENT…: what pasta did
said() {
    what=$1
    shift
    # --map-root-user: as podman calls it, and so that it stays who it is
    timeout 20 unshare --user --map-root-user pasta --config-net "$@" -- ip -4 route show default >/out 2>/err </dev/null
    echo "$what: exits $?, $(cut -d' ' -f1-3 /out | grep . || grep -o "Couldn't.*" /err || echo 'no default route')"
}
ip link set lo up
for link in 1 2; do
    ip link add wire$link type veth peer name end$link
    ip address add 192.0.$link.5/24 dev wire$link
    ip link set wire$link up
    ip link set end$link up
    ip route add default via 192.0.$link.1 dev wire$link metric ${link}00
done
said "both have a carrier"
ip link set end1 down
echo 1 >/proc/sys/net/ipv4/conf/all/ignore_routes_with_linkdown
echo "the kernel's choice: $(ip route get 203.0.113.1 | grep -o 'via [^ ]* dev [^ ]*')"
said "the first has none"
said "the first has none, -i wire2" -i wire2
ip route del default dev wire2
said "the first's route alone"
ip route del default dev wire1
said "no default route"
EOP
# pivot_root(8), not chroot(8): user namespaces are not for processes in a chroot.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --net --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs tmp &&
    pivot_root . . && umount -l . && exec sh /show' - "$tree" | tee "$tmp/out"

error="Couldn't set IPv4 route(s) in guest: Invalid argument"
for line in "both have a carrier: exits 0, default via 192.0.1.1" "the kernel's choice: via 192.0.2.1 dev wire2" \
    "the first has none: exits 1, $error" "the first has none, -i wire2: exits 0, default via 192.0.2.1" \
    "the first's route alone: exits 1, $error" \
    "no default route: exits 1, $error"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
