#!/bin/bash
# ip, tc and bridge -batch: after `fdb show dev it`, a line `fdb show` shows what it has alone: conditions stay for later lines
#
# Versions: iproute2 6.15.0-1 (Debian 13).
#
# Expected: ip(8), tc(8), bridge(8): -batch reads commands from a file or from standard input, and invokes them: each line does what
# it does when it is called by itself.
#
# Seen: exit 0, and the second of two lines shows, or takes away, what the first one has asked for.
#   line before                   line                by itself                       in the batch
#   nexthop show dev it           nexthop show        both of them                    that of it
#   nexthop show proto 99         nexthop flush       both are gone                   that with proto 99 is gone
#   maddr show dev it             maddr show          all three interfaces            it
#   bridge: fdb show dev it       fdb show            addresses of both               those of it
#   bridge: fdb show dynamic      fdb show            addresses of both               none
#   tc: qdisc show dev it         qdisc show          both queues                     that of it
# With "route", "neighbour", "rule", "address" and "link" a line begins anew, and so does the class of tc.
#
# Where it matters: a program that has one `ip -batch -` for many questions, as one process for each of them is too slow; and
# a file of changes that shows what is there on its way.
#
# Needs: root, mmdebstrap, unshare, a kernel with veth and sch_tbf.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,base-files,dash,coreutils,grep' trixie "$tree"
mkdir -p "$tree"/{proc,sys}

cat >"$tree/show" <<'EOP'
set -eu
# asked PROGRAM PATTERN LINE...: what the last of the lines shows; the others show nothing that is printed
asked() {
    program=$1 pattern=$2
    shift 2
    [ $# -eq 1 ] && before=0 || before=$($program $1 | wc -l)
    status=0; printf '%s\n' "$@" | $program -batch - >/out || status=$?
    echo "$program, $(printf '%s; ' "$@")exit $status:" $(tail -n "+$((before + 1))" /out | grep -oE "$pattern" | sort -u)
}
ip link add name it type veth peer name other
for link in it other; do ip link set dev $link up; done
bridge fdb add 02:00:00:00:00:01 dev it self
bridge fdb add 02:00:00:00:00:02 dev other self
tc qdisc add dev it root handle 1: tbf rate 1mbit burst 4000 latency 5ms
tc qdisc add dev other root handle 2: tbf rate 1mbit burst 4000 latency 5ms
ip nexthop add id 1 dev it
ip nexthop add id 2 dev other proto 99
for first in '' 'nexthop show dev it'; do asked ip '^id .' ${first:+"$first"} 'nexthop show'; done
for first in '' 'maddr show dev it'; do asked ip '(lo|it|other)$' ${first:+"$first"} 'maddr show'; done
for first in '' 'fdb show dev it' 'fdb show dynamic'; do asked bridge '^02:[0-9a-f:]+' ${first:+"$first"} 'fdb show'; done
for first in '' 'qdisc show dev it'; do asked tc 'tbf .:' ${first:+"$first"} 'qdisc show'; done
for first in '' 'rule show pref 0'; do asked ip '^[0-9]+:' ${first:+"$first"} 'rule show'; done
for first in '' 'link show dev it'; do asked ip ' (lo|it|other)[:@]' ${first:+"$first"} 'link show'; done
asked ip 'id .' 'nexthop show proto 99' 'nexthop flush'
asked ip 'id .' 'nexthop show'
ip nexthop add id 2 dev other proto 99
asked ip 'id .' 'nexthop flush'
asked ip 'id .' 'nexthop show'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    cd "$1" && mount -t proc proc proc && mount -t sysfs sysfs sys && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
ip, nexthop show; exit 0: id 1 id 2
ip, nexthop show dev it; nexthop show; exit 0: id 1
ip, maddr show; exit 0: it lo other
ip, maddr show dev it; maddr show; exit 0: it
bridge, fdb show; exit 0: 02:00:00:00:00:01 02:00:00:00:00:02
bridge, fdb show dev it; fdb show; exit 0: 02:00:00:00:00:01
bridge, fdb show dynamic; fdb show; exit 0:
tc, qdisc show; exit 0: tbf 1: tbf 2:
tc, qdisc show dev it; qdisc show; exit 0: tbf 1:
ip, rule show; exit 0: 0: 32766: 32767:
ip, rule show pref 0; rule show; exit 0: 0: 32766: 32767:
ip, link show; exit 0: it@ lo: other@
ip, link show dev it; link show; exit 0: it@ lo: other@
ip, nexthop show proto 99; nexthop flush; exit 0:
ip, nexthop show; exit 0: id 1
ip, nexthop flush; exit 0:
ip, nexthop show; exit 0:
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
