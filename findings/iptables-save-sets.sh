#!/bin/bash
# iptables-save writes a rule of nft with a set as a rule for everything, and others as no table at all; exit 0
#
# Versions: iptables 1.8.11-2, nftables 1.1.3-1 (Debian 13).
#
# Expected: iptables-nft(8) and nft share the tables, and a user of both sees in iptables-save what is there.  What can't be
# said in iptables' words is an error, or left out with one: "Parsing nftables rule failed" and exit 3 are there for that,
# and are what an "ip dscp" gets.
#
# Seen, of one rule that `nft add rule ip filter INPUT` has put beside one of iptables':
#   ip saddr { 10.0.0.3, 10.0.0.4 } drop     "-A INPUT -j DROP": the set is gone, and the rule is for all packets.  So with
#                                            accept, with two interfaces in braces, and with addresses and ports together.
#   tcp dport { 22, 80 } accept              "-A INPUT -p tcp -j ACCEPT": the ports are gone.
#   tcp dport vmap { 22 : drop }             "-A INPUT -p tcp": neither ports nor verdict.
#   ct state established accept              the whole table is one comment, "Table `filter' is incompatible", on stdout: the
#                                            rules of iptables' own aren't in it either.
# All of it with exit 0.  Given to iptables-restore, the first drops everything.
#
# Where it matters: engines and firewalls of both kinds on one machine, and whoever saves with iptables-save (the service of
# iptables-persistent does) or checks by its output what is let in.
#
# Needs: root, mmdebstrap, unshare, a kernel with nf_tables.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iptables=1.8.11-2,nftables=1.1.3-1,base-files,dash,coreutils,grep,sed' \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys}

cat >"$tree/show" <<'EOP'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
table() { xtables-nft-multi "$@"; }
table iptables -A INPUT -s 192.0.2.1 -p udp -j REJECT
# saved RULE: what iptables-save makes of it, without what is there in any case
saved() {
    handle=$(nft -ae add rule ip filter INPUT "$1" | grep -o 'handle [0-9]*')
    status=0; table iptables-save >/run/out 2>/run/err || status=$?
    own=$(grep -c -- '-s 192.0.2.1/32 -p udp' /run/out || :)
    echo "$1: exit $status, iptables' own: $own, nft's: $(sed -n '/192.0.2.1/d; /^-A/p; /^# Table/p' /run/out)$(grep -o 'Parsing.*' /run/err || :)"
    # shellcheck disable=SC2086 # two words
    nft delete rule ip filter INPUT $handle
}
saved 'ip saddr { 10.0.0.3, 10.0.0.4 } drop'
saved 'ip saddr { 10.0.0.3, 10.0.0.4 } accept'
saved 'iifname { "a", "b" } drop'
saved 'ip saddr . tcp dport { 10.0.0.3 . 22 } accept'
saved 'tcp dport { 22, 80 } accept'
saved 'tcp dport vmap { 22 : drop }'
saved 'ct state established accept'
saved 'ip dscp cs1 drop'
# There and back
nft add rule ip filter INPUT 'ip saddr { 10.0.0.3, 10.0.0.4 } drop'
table iptables-save 2>/dev/null | table iptables-restore
nft list chain ip filter INPUT 2>/dev/null | sed -n 's/^.*\(counter packets 0 bytes 0 drop\).*$/restored: \1/p; /saddr {/p'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    cd "$1" && mount -t proc proc proc && mount -t tmpfs tmpfs run && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
ip saddr { 10.0.0.3, 10.0.0.4 } drop: exit 0, iptables' own: 1, nft's: -A INPUT -j DROP
ip saddr { 10.0.0.3, 10.0.0.4 } accept: exit 0, iptables' own: 1, nft's: -A INPUT -j ACCEPT
iifname { "a", "b" } drop: exit 0, iptables' own: 1, nft's: -A INPUT -j DROP
ip saddr . tcp dport { 10.0.0.3 . 22 } accept: exit 0, iptables' own: 1, nft's: -A INPUT -p tcp -j ACCEPT
tcp dport { 22, 80 } accept: exit 0, iptables' own: 1, nft's: -A INPUT -p tcp -j ACCEPT
tcp dport vmap { 22 : drop }: exit 0, iptables' own: 1, nft's: -A INPUT -p tcp
ct state established accept: exit 0, iptables' own: 0, nft's: # Table `filter' is incompatible, use 'nft' tool.
ip dscp cs1 drop: exit 3, iptables' own: 1, nft's: Parsing nftables rule failed
restored: counter packets 0 bytes 0 drop
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
