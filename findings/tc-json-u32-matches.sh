#!/bin/bash
# tc -j: of a u32 filter with several conditions, whoever reads the JSON sees the last one alone
#
# Versions: iproute2 6.15.0-1 (Debian 13).
#
# Expected: what `tc filter show` has as three lines, `tc -j` has as a list of three, and `-p` makes it easier to look at.
#
# Seen, of "match ip dst 10.1.0.0/16 match ip protocol 6 0xff match ip dport 80 0xffff"; exit 0:
#   tc filter show            three conditions.
#   tc -j filter show         an object with the key "match" three times.  Python, jq and most others keep the last: a filter
#                             for TCP to port 80 of one network becomes one for port 80.  Values are in hexadecimal, as
#                             texts without 0x and without leading zeros, and offsets numbers.
#   tc -j -p filter show      the same keys three times, and now with other contents: {"dport": 80}.
#
# Where it matters: programs that compare the filters that are there with those that they want, or show to people what
# traffic a container's limit or redirection is for.  The JSON is valid, so nothing fails.
#
# Needs: root, mmdebstrap, python3, unshare, a kernel with veth, sch_htb and cls_u32.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{proc,sys}

cat >"$tree/show" <<'EOP'
ip link add it type veth peer name other
tc qdisc add dev it root handle 1: htb
tc filter add dev it parent 1: protocol ip prio 1 u32 match ip dst 10.1.0.0/16 match ip protocol 6 0xff \
    match ip dport 80 0xffff flowid 1:10
tc filter show dev it >/text
tc -j filter show dev it >/json
tc -j -p filter show dev it >/pretty
EOP
unshare --net chroot "$tree" sh /show
cat >"$tmp/read.py" <<'EOP'
import json
import sys

keys = []

def noted(pairs):
    keys.extend(key for key, _ in pairs)
    return dict(pairs)

for name in ("json", "pretty"):
    keys.clear()
    with open(f"{sys.argv[1]}/{name}") as file:
        text = file.read()
    match = next(item["options"]["match"] for item in json.loads(text) if "flowid" in item.get("options", ()))
    json.loads(text, object_pairs_hook=noted)
    print(f"{name}: {json.dumps(match)}, of {keys.count('match')}")
EOP
{
    echo "text: $(grep -c match "$tree/text") conditions"
    python3 "$tmp/read.py" "$tree"
} | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
text: 3 conditions
json: {"value": "50", "mask": "ffff", "offmask": "", "off": 20}, of 3
pretty: {"dport": 80}, of 3
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
