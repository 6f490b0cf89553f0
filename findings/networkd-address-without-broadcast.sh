#!/bin/bash
# systemd-networkd asks 65,535 times for an address that the link has already, and gives the link up
#
# Versions: systemd 252.39-1~deb12u2 (Debian 12), iproute2 6.1.0-3; Linux 6.18 (the running kernel is shown).
#
# Expected: an address that somebody else has put on a link, and that a .network file asks for, is taken over.
#
# Seen: that is so where the address has the broadcast address that networkd would have given it.  One without (ip
# address add without `brd +`, and the RTM_NEWADDR of most programs) counts as another address, so networkd asks for
# its own.  The kernel has that address and changes nothing, broadcast included; networkd is told of one without, and
# asks again at once.  After 65,535 requests it has no number for the next one: "eth0: Failed to configure address:
# Numerical result out of range", "eth0: Failed".  Whoever waits for the network to be online waits in vain, although
# the address is there and works.
#
# Where it matters: containers and virtual machines whose host has configured the link before the system inside starts,
# with a file for networkd inside so that it knows.  The addresses have to be given with their broadcast address.
# systemd 257 takes the address over.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='systemd=252.39-1~deb12u2,iproute2=6.1.0-3,strace=6.1-0.1,base-files,dash,coreutils,grep,mount' \
    bookworm "$tree"
mkdir -p "$tree/proc" "$tree/sys" "$tree/dev" "$tree/tmp"
: >"$tree/dev/null"
echo 'root:x:0:0::/:/bin/sh
systemd-network:x:998:998::/:/usr/sbin/nologin' >"$tree/etc/passwd"
echo 'root:x:0:
systemd-network:x:998:' >"$tree/etc/group"

cat >"$tree/show" <<'EOF'
set -eu
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R 998:998 /run/systemd/netif
printf '[Match]\nName=eth0\n\n[Network]\nLinkLocalAddressing=no\nAddress=192.0.2.2/24\n' >/run/systemd/network/10.network
ip link set lo up

# adopt TEXT WORDS…: what becomes of the address 192.0.2.2/24, added with WORDS before
adopt() {
    what=$1; shift
    ip link add eth0 type veth peer name peer
    ip link set peer up; ip link set eth0 up
    ip address add 192.0.2.2/24 "$@" dev eth0
    timeout 100 strace -f -e trace=sendto -o /tmp/trace /lib/systemd/systemd-networkd >/tmp/said 2>&1 & process=$!
    # It is done with the link when it says so, in the file of its state.
    until grep -qE '^ADMIN_STATE=(configured|failed)' /run/systemd/netif/links/* 2>/dev/null || ! kill -0 $process; do
        sleep 0.2
    done
    state=$(grep -hE '^ADMIN_STATE=(configured|failed)' /run/systemd/netif/links/* || :)
    kill $process 2>/dev/null || :
    wait $process || :
    echo "$what: $state, requests: $(grep -c RTM_NEWADDR /tmp/trace || :)"
    grep -h 'Failed to configure address' /tmp/said || :
    ip link delete eth0
    rm -f /run/systemd/netif/links/*
}

adopt "with its broadcast address" broadcast 192.0.2.255
adopt "without"
EOF

echo "Linux $(uname -r | cut -d. -f1,2)"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child \
    sh -c 'mount -t proc proc "$1/proc" && mount -t sysfs -o ro sysfs "$1/sys" && mount --bind /dev/null "$1/dev/null" &&
        chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

for line in "with its broadcast address: ADMIN_STATE=configured, requests: 1" \
    "without: ADMIN_STATE=failed, requests: 65535" \
    "eth0: Failed to configure address: Numerical result out of range"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
