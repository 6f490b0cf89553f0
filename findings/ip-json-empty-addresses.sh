#!/bin/bash
# ip -j address with a filter shows each address that it leaves out as {}, and by label an interface without a name
#
# Versions: iproute2 6.15.0-1 (Debian 13).
#
# Expected: a filter (scope, to, secondary, label) takes lines out of the text; in the JSON the same addresses are
# elements of addr_info, or are not there.  Each interface has its "ifname".
#
# Seen, of an interface with four addresses, of which one is of the scope link:
#   ip -o address show scope link         one line.
#   ip -j address show scope link         addr_info has the one address and {} three times.  So with to and secondary.
#   ip -j address show label it:b         the object has addr_info and nothing else: no ifname, no ifindex.  The text has both.
#
# Where it matters: "the address of scope global" is addr_info[0] in many scripts, and is {} if one of another scope comes
# first, as a link-local one of IPv4 does; jq then says null and Python KeyError, on the machine with the other order.
# With label the answer can't be told apart from that of another interface.  Ask for all and select in the JSON.
#
# Needs: root, mmdebstrap, unshare, a kernel with veth.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,jq,base-files,dash,coreutils,grep' trixie "$tree"
mkdir -p "$tree"/{proc,sys}

cat >"$tree/show" <<'EOP'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link add it type veth peer name other
ip address add 169.254.1.1/16 dev it scope link
ip address add 10.0.0.1/24 dev it
ip address add 10.0.0.2/24 dev it label it:b
ip address add 192.0.2.1/24 dev it
for filter in 'dev it' 'dev it scope link' 'dev it scope global' 'dev it to 192.0.2.0/24' 'dev it secondary' 'label it:b'; do
    # shellcheck disable=SC2086 # several words
    {
        echo "$filter: lines $(ip -o -4 address show $filter | wc -l)," \
            "JSON $(ip -j -4 address show $filter | jq -c '.[] | [.ifname, [.addr_info[].local]]')"
    }
done
echo "as text: $(ip -o -4 address show label it:b | grep -oE 'it +inet [^ ]*')"
echo "as JSON: $(ip -j -4 address show label it:b | jq -c '.[] | [keys, .addr_info[0]]')"
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    cd "$1" && mount -t proc proc proc && mount -t sysfs sysfs sys && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
dev it: lines 4, JSON ["it",["169.254.1.1","10.0.0.1","192.0.2.1","10.0.0.2"]]
dev it scope link: lines 1, JSON ["it",["169.254.1.1",null,null,null]]
dev it scope global: lines 3, JSON ["it",[null,"10.0.0.1","192.0.2.1","10.0.0.2"]]
dev it to 192.0.2.0/24: lines 1, JSON ["it",[null,null,"192.0.2.1",null]]
dev it secondary: lines 1, JSON ["it",[null,null,null,"10.0.0.2"]]
label it:b: lines 1, JSON [null,[null,null,null,"10.0.0.2"]]
as text: it    inet 10.0.0.2/24
as JSON: [["addr_info"],{}]
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
