#!/bin/bash
# tc -j shows 1 Mbit/s as 125000, and tc reads 125000 as an eighth of that
#
# Versions: iproute2 6.15.0-1 (Debian 13).
#
# Expected: tc(8) says of its JSON only that the results are in it, and of rates that a bare number means bits per second.
# So a "rate" in the JSON is in bits, and can be given back.
#
# Seen: of "rate 1mbit", the text has 1Mbit and the JSON 125000, bytes per second, without a unit; so of a tbf's rate and of
# an htb class's rate and ceil.  Put back as it is, it is a limit of 125Kbit.  Of the numbers beside it, "burst" is in bytes,
# and "lat" in microseconds, as tc reads a bare number at these places: of all that tbf has, the rate alone goes wrong.
#
# Where it matters: who saves a limit and brings it back, copies it to another link, or compares it with what was set.  Each
# round makes an eighth of it.  Times eight is right; "bps" behind the number, which means bytes to tc, as well.
#
# Needs: root, mmdebstrap, unshare, a kernel with veth, sch_tbf and sch_htb.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,base-files,dash,coreutils,grep,sed' trixie "$tree"
mkdir -p "$tree"/{proc,sys}

cat >"$tree/show" <<'EOP'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link add it type veth peer name other
number() { tc -j qdisc show dev it root | grep -oE "\"$1\":[0-9]+" | cut -d: -f2; }
text() { tc qdisc show dev it root | grep -oE 'rate .*'; }
tc qdisc add dev it root tbf rate 1mbit burst 4000 latency 50ms
echo "set: $(text)"
rate=$(number rate) burst=$(number burst) latency=$(number lat)
echo "JSON: rate $rate burst $burst lat $latency"
for unit in '' bps; do
    tc qdisc replace dev it root tbf rate "$rate$unit" burst "$burst" latency "$latency"
    echo "from the JSON${unit:+, with $unit}: $(text)"
done
tc qdisc replace dev it root handle 1: htb
tc class add dev it parent 1: classid 1:1 htb rate 1mbit ceil 2mbit
echo "class: $(tc class show dev it | grep -oE 'rate [^ ]* ceil [^ ]*')"
echo "class in JSON: $(tc -j class show dev it | grep -oE '"(rate|ceil)":[0-9]+' | tr '\n' ' ')"
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    cd "$1" && mount -t proc proc proc && mount -t sysfs sysfs sys && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
set: rate 1Mbit burst 4000b lat 50ms 
JSON: rate 125000 burst 4000 lat 50000
from the JSON: rate 125Kbit burst 4000b lat 50ms 
from the JSON, with bps: rate 1Mbit burst 4000b lat 50ms 
class: rate 1Mbit ceil 2Mbit
class in JSON: "rate":125000 "ceil":250000 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
