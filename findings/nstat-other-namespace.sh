#!/bin/bash
# nstat: the numbers of one network namespace are taken off those of the next
#
# Versions: iproute2 6.15.0-1 (Debian 13).
#
# Expected: nstat(8): counters since it was run last.  In a network namespace in which it never ran, all since it began.
#
# Seen, of UdpOutDatagrams, in the order of the calls:
#   A   100 datagrams are sent     100.
#   B   130 are sent, the first     30: the 100 of A are taken off.
#   B   5 more                       5.
#   C   20 are sent, the first      no line at all, as if nothing had been sent: A and B have had more.
#   A   40 more                    120: the 140 that A has sent by now, less the 20 of C.
#   with NSTAT_HISTORY in another place for each namespace: 100, 130, 5, 20, 40.
# What was seen last is in /tmp/.nstat.u0, which has the user in its name and not the namespace.  With --json it is the same.
#
# Where it matters: `ip netns exec`, `nsenter --net` and containers that share /tmp: a check for drops or retransmissions
# that goes from one to the next has wrong numbers, or finds none.  The exit status is 0.
#
# Needs: root, mmdebstrap, unshare, bash with /dev/udp.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{proc,tmp}

cat >"$tmp/show" <<'EOP'
set -euo pipefail
# sent NAMESPACE NUMBER: send so many datagrams there, and ask nstat
sent() {
    # shellcheck disable=SC2016 # for the inner shell
    nsenter --net="$tmp/$1" bash -c 'for ((at = 0; at < $1; at++)); do echo >/dev/udp/127.0.0.1/9; done 2>/dev/null' - "$2"
    if $own_history; then export NSTAT_HISTORY=/tmp/$1; fi
    told=$(nsenter --net="$tmp/$1" chroot "$tree" nstat)
    echo "$1 $2: $(awk '$1 == "UdpOutDatagrams" {print $2}' <<<"$told")"
}
for own_history in false true; do
    mount -t tmpfs tmpfs "$tree/tmp"
    for namespace in A B C; do
        : >"$tmp/$namespace"
        unshare --net="$tmp/$namespace" chroot "$tree" ip link set lo up
    done
    echo "own history: $own_history"
    sent A 100; sent B 130; sent B 5; sent C 20; sent A 40
    umount "$tree/tmp" "$tmp"/{A,B,C}
done
EOP
export tmp tree
# A mount namespace that is private, as mounts of namespaces have to be.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$tmp" "$tmp" && mount --make-private "$tmp" && mount -t proc proc "$tree/proc" && mount -t proc proc /proc &&
    exec bash "$tmp/show"' | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
own history: false
A 100: 100
B 130: 30
B 5: 5
C 20: 
A 40: 120
own history: true
A 100: 100
B 130: 130
B 5: 5
C 20: 20
A 40: 40
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
