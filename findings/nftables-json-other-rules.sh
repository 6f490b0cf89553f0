#!/bin/bash
# nft -j list ruleset, read again by nft -j -f: other rules, without a word
#
# Versions: nftables 1.1.3-1 (Debian 13).
#
# Expected: what nft lists can be loaded again, as text and as JSON, and is the same ruleset; if it can't be expressed,
# nft says so.
#
# Seen: the text is the same again.  Of the JSON, nft -j -f reports success and makes
#   "tcp option @20,0,8 5" (the first byte of option 20 is 5)  ->  "tcp option 20 exists", whatever is in it
#   an element with "quota over 7 mbytes", in a set of "quota over 5 mbytes"  ->  quota over 5 mbytes
#   an element with "counter packets 5 bytes 6"  ->  counter packets 0 bytes 0
#   the comment of a set  ->  none
# All that is in the JSON; its reader takes what it knows of an object and leaves the rest.  Of a map to ranges ("type
# ipv4_addr : interval ipv4_addr") it is the listing that has no "interval": empty, it comes back as a map to addresses;
# with elements, the listing can't be read: "Value must be a singleton".
#
# Where it matters: programs that keep and restore rules in libnftables' JSON, its interface for programs, have a rule
# that drops more, elements with another limit, and a success.
#
# Needs: root, mmdebstrap, unshare, nf_tables in the kernel.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='nftables=1.1.3-1,libnftables1=1.1.3-1,base-files,dash,coreutils,grep' \
    trixie "$tree"
mkdir -p "$tree/dev"

cat >"$tree/show" <<'EOP'
# again WHAT WORDS: what of a table is there after it has been listed and loaded, as text and as JSON
again() {
    what=$1
    nft flush ruleset
    { echo 'table inet it {'; cat; echo '}'; } >/rules
    nft -f /rules
    nft list ruleset >/text
    nft -j list ruleset >/json
    nft flush ruleset
    nft -f /text
    nft list ruleset >/again
    [ "$(cat /text)" = "$(cat /again)" ] && echo "$what, text: the same"
    nft flush ruleset
    nft -j -f /json 2>/said && said=read || said=$(head -n 1 /said)
    echo "$what, JSON: $said, $(nft list ruleset | tr -s '\t\n ' ' ' | grep -oE "$2" || echo nothing)"
}
again option 'tcp option [^}]*drop' <<X
    chain c {
        tcp option @20,0,8 5 drop
    }
X
again quota 'elements[^}]*}' <<X
    set s {
        type ipv4_addr
        quota over 5 mbytes
        elements = { 192.0.2.1 quota over 7 mbytes }
    }
X
again counter 'elements[^}]*}' <<X
    set s {
        type ipv4_addr
        counter
        elements = { 192.0.2.1 counter packets 5 bytes 6 }
    }
X
again comment 'comment "[^"]*"' <<X
    set s {
        type ipv4_addr
        comment "what it is for"
    }
X
again 'empty map' 'type ipv4_addr : [a-z0-9_ ]*_addr' <<X
    map m {
        type ipv4_addr : interval ipv4_addr
        flags interval
    }
X
again map 'elements[^}]*}' <<X
    map m {
        type ipv4_addr : interval ipv4_addr
        flags interval
        elements = { 192.0.2.1 : 198.51.100.1-198.51.100.9 }
    }
X
EOP
# In a network namespace of its own: no rule of the machine is touched.
unshare --net chroot "$tree" sh /show | tee "$tmp/out"

for line in "option, text: the same" "option, JSON: read, tcp option 20 exists drop" \
    "quota, text: the same" "quota, JSON: read, elements = { 192.0.2.1 quota over 5 mbytes }" \
    "counter, text: the same" "counter, JSON: read, elements = { 192.0.2.1 counter packets 0 bytes 0 }" \
    "comment, text: the same" "comment, JSON: read, nothing" \
    "empty map, text: the same" "empty map, JSON: read, type ipv4_addr : ipv4_addr" \
    "map, text: the same" "map, JSON: internal:0:0-0: Error: Value must be a singleton, nothing"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
