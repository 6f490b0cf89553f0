#!/bin/bash
# nft --optimize makes rules that match other packets, and can't load some that it takes without
#
# Versions: nftables 1.1.3-1 (Debian 13).
#
# Expected: nft(8): "Optimize your ruleset".  What is loaded does to each packet what the rules that were written do.
#
# Seen: rules below each other that differ in one value become one rule with a set or a map, though
#   tcp flags rst / tcp flags fin    match each packet that has the flag, whatever else it has; the key of a map is the
#                                    whole of the flags.  The answer of a closed port (rst and ack) matches no more.
#                                    The same with `ct status snat` and other words that stand for bits.
#   numgen inc mod 2 0, … 1          are two counters, and the second sees what the first has left: of four packets two,
#                                    and one.  Of the map it is two and two.
#   ip saddr 10.1.0.0/16 drop, then  have an order; the elements of a map may not overlap, and the whole file is refused:
#   ip saddr 10.0.0.0/8 accept       "internal:0:0-0: Error: conflicting intervals specified".
#   … comment "a", … comment "b"     are one rule without a comment.
#
# Where it matters: with -o at the end of a command that loads a firewall, a rule that was tried is another one as soon
# as one like it stands below; and a rule for a part of a network can't be before the one for the whole.
#
# Needs: root, mmdebstrap, unshare, nf_tables in the kernel.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='nftables=1.1.3-1,libnftables1=1.1.3-1,base-files,bash,coreutils,grep,iproute2,sed' trixie "$tree"
mkdir -p "$tree/dev"

cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C
ip link set lo up
nft() { command nft "$@" 2>/said; }
# load OPTION: the rules of the standard input, where chain a and b count what jumps to them
load() {
    nft flush ruleset
    { echo 'table inet it { chain a { counter accept; }'; echo 'chain b { counter accept; }'; echo 'chain out {'
      echo 'type filter hook output priority 0;'; cat; echo '}'; echo '}'; } >/rules
    nft $1 -f /rules >/merged
}
counted() {
    for chain in a b; do nft list chain inet it $chain | sed -nE "s/.*packets ([0-9]+) .*/$chain \1/p"; done | tr '\n' ' '
}
for option in '' -o; do
    load "$option" <<X
        tcp flags rst jump a
        tcp flags fin jump b
X
    # Each is refused by a packet with rst and ack.
    for _ in 1 2 3 4; do : >/dev/tcp/127.0.0.1/9 || :; done 2>/said
    echo "flags, nft $option: $(counted)"
    load "$option" <<X
        meta l4proto != udp accept
        numgen inc mod 2 0 jump a
        numgen inc mod 2 1 jump b
X
    # Each packet is by a socket of its own.  An answer to it is of ICMP.
    for _ in 1 2 3 4; do echo >/dev/udp/127.0.0.1/9 || :; done 2>/said
    echo "numgen, nft $option: $(counted)"
    load "$option" <<X && said=loaded || said=$(grep Error /said)
        ip saddr 10.1.0.0/16 drop
        ip saddr 10.0.0.0/8 accept
X
    echo "overlap, nft $option: $said"
    load "$option" <<X
        tcp dport 80 accept comment "a"
        tcp dport 81 accept comment "b"
X
    echo "comment, nft $option: $(nft list chain inet it out | sed -nE '/comment/s/.*(comment .*)/\1/p' | tr '\n' ' ')"
done
EOP
# In namespaces of their own: no rule of the machine is touched.
# shellcheck disable=SC2016 # for the inner shell
unshare --net --mount sh -c 'mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/bash /show' - "$tree" | tee "$tmp/out"

for line in "flags, nft : a 4 b 0 " "flags, nft -o: a 0 b 0 " "numgen, nft : a 2 b 1 " "numgen, nft -o: a 2 b 2 " \
    "overlap, nft : loaded" "overlap, nft -o: internal:0:0-0: Error: conflicting intervals specified" \
    'comment, nft : comment "a" comment "b" ' "comment, nft -o: "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
