#!/bin/bash
# ip -j monitor: no JSON, and no error
#
# Versions: iproute2 6.15.0-1 (Debian 13).
#
# Expected: ip(8): -json outputs results in JavaScript Object Notation, for all objects.  `ip -j address`, `link`, `route`, `rule`
# and `neigh` do so, by the functions that also print what `ip monitor` tells.
#
# Seen, of `ip -j monitor all` while a link, an address, a route, a rule and a neighbour change: the text for people,
# in which a route that is gone begins with the word Deleted.  Not one line is JSON.
#
# Where it matters: who builds on `ip -j` and wants to be told instead of to ask.  It has to read the text, or only
# take a line as a sign to ask again by `ip -j address`, or use netlink.
#
# Needs: root, mmdebstrap, python3, unshare, a kernel with veth.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{dev,proc}

cat >"$tmp/show.py" <<'EOP'
import json
import re
import subprocess
import sys

def ip(words):
    return subprocess.run(["chroot", sys.argv[1], "ip", *words.split()], capture_output=True, text=True, check=True).stdout

def kind(line):
    try:
        json.loads(line)
    except ValueError:
        return "text"
    return "JSON"

ip("link add it type veth peer other")
ip("link set other up")
print("ip -j link:", kind(ip("-j link")))
monitor = subprocess.Popen(["chroot", sys.argv[1], "stdbuf", "-oL", "ip", "-j", "monitor", "all"], text=True, stdout=subprocess.PIPE)
# Until it listens, an address that comes and goes.
while True:
    with open(f"/proc/{monitor.pid}/net/netlink") as file:
        if any(line.split()[2] == str(monitor.pid) and line.split()[3] != "00000000" for line in file.readlines()[1:]):
            break
ip("link set it up")
ip("address add 10.0.0.1/24 dev it")
ip("route add 10.1.0.0/16 via 10.0.0.2")
ip("neigh add 10.0.0.3 lladdr 02:00:00:00:00:01 dev it")
ip("rule add to 10.2.0.0/16 table 7")
ip("route del 10.1.0.0/16")
seen = set()
for line in monitor.stdout:
    if found := re.match(r"\[(ADDR|ROUTE|NEIGH|RULE|LINK)\]", line):
        seen.add((found[1], kind(line), kind(line[found.end():])))
    if "Deleted 10.1.0.0/16" in line:
        break
monitor.kill()
for words in sorted(seen):
    print("ip -j monitor:", *words)
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount -t proc proc /proc &&
    exec timeout 60 python3 "$2/show.py" "$1"' - "$tree" "$tmp" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
ip -j link: JSON
ip -j monitor: ADDR text text
ip -j monitor: LINK text text
ip -j monitor: NEIGH text text
ip -j monitor: ROUTE text text
ip -j monitor: RULE text text
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
