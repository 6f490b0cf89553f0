#!/bin/bash
# iptables-translate drops a "!" and conditions, and shows no sign of it
#
# Versions: iptables 1.8.11-2, nftables 1.1.3-1 (Debian 13).
#
# Expected: the rule of nft that iptables-translate prints takes the packets that the rule of iptables takes; what it
# can't translate it prints as a comment, as its manual page says and as it does for many matches.
#
# Seen, of packets by the loopback device, counted by the rule of iptables-nft and by its translation side by side:
#   multiport ! --ports 80,443           the "!" is gone: the translation takes what the rule leaves.
#   addrtype --src-type LOCAL --dst-type BROADCAST
#                                        the second condition is gone: it takes what isn't a broadcast too.
#   conntrack --ctstate NEW,DNAT         NEW is gone: it takes no new connection.
#   conntrack ! --ctstate NEW,DNAT       NEW and the "!" are gone: the same as the one above.
#   -I OUTPUT 2                          "index 2", and nft counts from 0: it is third then.
#   CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
#                                        the mark's other bits are gone: 0xff00 becomes 0.
# iptables-restore-translate, for whole files, has the same.
#
# Where it matters: a firewall that was moved to nftables by its own tool accepts what it refused, or the reverse, and it
# has loaded without a warning.
#
# Needs: root, mmdebstrap, unshare, nf_tables with nft_compat, xt_multiport, xt_addrtype, xt_conntrack and xt_connmark in
# the kernel.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='iptables=1.8.11-2,nftables=1.1.3-1,libnftables1=1.1.3-1,base-files,bash,coreutils,grep,iproute2,sed' \
    trixie "$tree"
mkdir -p "$tree/dev" "$tree/run"

cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C
ip link set lo up
# translated WORDS: the rule of nft for one of iptables, in a chain of its own behind
translated() { iptables-translate "$@" | sed "s/^nft '//; s/'\$//; s/ ip [a-z]* OUTPUT/ ip behind OUTPUT/"; }
new() {
    nft flush ruleset
    nft 'add table ip behind; add chain ip behind OUTPUT { type filter hook output priority 10; }'
}
send() { for port in "$@"; do echo >/dev/udp/127.0.0.1/$port || :; done 2>/said; }
# count WORDS: how many of the packets to three ports each of the two takes
count() {
    new
    iptables-nft -A OUTPUT "$@" -j ACCEPT
    translated -A OUTPUT "$@" -j ACCEPT >/rule
    nft -f /rule
    send 80 98 99
    echo "$*: iptables $(taken filter), nft $(taken behind)"
    sed 's/^add rule ip behind OUTPUT/    now/' /rule
}
taken() { nft list chain ip $1 OUTPUT 2>/said | sed -nE 's/.*counter packets ([0-9]+) .*/\1/p'; }

count -p udp -m multiport ! --ports 80,443
count -p udp -m addrtype --src-type LOCAL --dst-type BROADCAST
count -p udp -m conntrack --ctstate NEW,DNAT
# Of ICMP are the answers, which belong to the connections that there are.
count -p icmp -m conntrack ! --ctstate NEW,DNAT

new
for _ in 1 2 3; do nft 'add rule ip behind OUTPUT counter'; done
translated -I OUTPUT 2 -j DROP >/rule
nft -f /rule
echo "-I OUTPUT 2: number $(nft list chain ip behind OUTPUT | grep counter | grep -n drop | cut -d: -f1)"

for tool in iptables nft; do
    new
    nft 'add table ip last; add chain ip last OUTPUT { type filter hook output priority 20; }'
    nft 'add rule ip last OUTPUT meta mark & 0xff00 == 0xff00 counter'
    nft 'add table ip first; add chain ip first OUTPUT { type filter hook output priority -160; }'
    nft 'add rule ip first OUTPUT meta mark set 0xff00'
    set -- -t mangle -A OUTPUT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
    if [ $tool = iptables ]; then iptables-nft "$@"; else translated "$@" >/rule; nft -f /rule; fi
    send 99
    echo "CONNMARK, $tool: $(taken last) with 0xff00"
done
EOP
# In namespaces of their own: no rule of the machine is touched.
# shellcheck disable=SC2016 # for the inner shell
unshare --net --mount sh -c 'mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/bash /show' - "$tree" | tee "$tmp/out"

for line in "-p udp -m multiport ! --ports 80,443: iptables 2, nft 1" \
    "-p udp -m addrtype --src-type LOCAL --dst-type BROADCAST: iptables 0, nft 3" \
    "-p udp -m conntrack --ctstate NEW,DNAT: iptables 3, nft 0" \
    "-p icmp -m conntrack ! --ctstate NEW,DNAT: iptables 3, nft 0" \
    "-I OUTPUT 2: number 3" "CONNMARK, iptables: 2 with 0xff00" "CONNMARK, nft: 0 with 0xff00"; do
    if ! grep -qxF -- "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
