#!/bin/bash
# A set with auto-merge and timeouts: an element that lasts is gone when its neighbour's second is over
#
# Versions: nftables 1.1.3-1 (Debian 13).
#
# Expected: auto-merge joins adjacent and overlapping elements of a set with intervals, as nft(8) has it.  What lasts for
# different times is not joined, or each address keeps the time it was added with.
#
# Seen: nft joins them whatever their timeouts are, and the whole has one of the two, with its comment:
#   10.0.2.0/24, then 10.0.3.0/24 timeout 1m          10.0.2.0/23 timeout 1m: what was to stay goes, too.
#   10.0.2.0/24 timeout 1m, then 10.0.3.0/24          10.0.2.0/23: what was to go stays for good.
#   the same two in one command                       10.0.2.0/23 timeout 1m: there, that of the lower addresses counts.
#   10.0.2.0/24 timeout 1m, then 10.0.2.128/25        10.0.2.0/24 timeout 1m: the part that was added is not kept.
#   10.0.2.128/25, then 10.0.2.0/24 timeout 1m        the same: the larger one counts, as of neighbours the later.
# It is nft that does so: it deletes the old element and adds the joined one, in one transaction.  No message, exit 0.
#
# Where it matters: lists of addresses that are allowed or banned for a while, into which a program puts single addresses:
# two neighbours are enough.  "flags interval, timeout" without auto-merge keeps them apart, and refuses what overlaps.
# What is known: a report of mwan3 (issue 10) of ranges in such a set that nobody had added.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='nftables=1.1.3-1,base-files,dash,coreutils,grep,sed' trixie "$tree"

cat >"$tree/show" <<'EOP'
set -eu
# show: the elements of the set, without the time that is left
show() {
    nft list set ip it names | tr -d '\n\t' | sed -n 's/.*elements = { \(.*\) }.*}.*/\1/p' |
        sed -E 's/ expires [0-9hms]+//g; s/ +/ /g'
}
# join ELEMENTS…: what becomes of them, added one after the other
join() {
    nft 'flush ruleset; table ip it { set names { type ipv4_addr; flags interval, timeout; auto-merge; }; }'
    for elements in "$@"; do
        nft add element ip it names "{ $elements }"
    done
    echo "$(printf '%s; ' "$@")-> $(show)"
}
join '10.0.2.0/24' '10.0.3.0/24 timeout 1m'
join '10.0.2.0/24 timeout 1m' '10.0.3.0/24'
join '10.0.2.0/24 timeout 1m, 10.0.3.0/24'
join '10.0.2.0/24 timeout 1m comment "a"' '10.0.3.0/24 timeout 1h comment "b"'
join '10.0.2.0/24 timeout 1m' '10.0.2.128/25'
join '10.0.2.128/25' '10.0.2.0/24 timeout 1m'
join '10.0.2.1' '10.0.2.3 timeout 1s'
join '10.0.2.1' '10.0.2.2 timeout 1s'
for try in $(seq 100); do
    nft get element ip it names '{ 10.0.2.1 }' >/dev/null 2>&1 || { echo "10.0.2.1, which was to stay, is gone"; break; }
    sleep 0.1
done
EOP
unshare --net chroot "$tree" sh /show | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
10.0.2.0/24; 10.0.3.0/24 timeout 1m; -> 10.0.2.0/23 timeout 1m
10.0.2.0/24 timeout 1m; 10.0.3.0/24; -> 10.0.2.0/23
10.0.2.0/24 timeout 1m, 10.0.3.0/24; -> 10.0.2.0/23 timeout 1m
10.0.2.0/24 timeout 1m comment "a"; 10.0.3.0/24 timeout 1h comment "b"; -> 10.0.2.0/23 timeout 1h comment "b"
10.0.2.0/24 timeout 1m; 10.0.2.128/25; -> 10.0.2.0/24 timeout 1m
10.0.2.128/25; 10.0.2.0/24 timeout 1m; -> 10.0.2.0/24 timeout 1m
10.0.2.1; 10.0.2.3 timeout 1s; -> 10.0.2.1, 10.0.2.3 timeout 1s
10.0.2.1; 10.0.2.2 timeout 1s; -> 10.0.2.1-10.0.2.2 timeout 1s
10.0.2.1, which was to stay, is gone
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
