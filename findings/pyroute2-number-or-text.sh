#!/bin/bash
# pyroute2: the same digits are eight times the rate as a number, and a thousand times the time as a text
#
# Versions: pyroute2 0.9.7 (PyPI), iproute2 6.15.0-1 (Debian 13).
#
# Expected: rate= and latency= of IPRoute.tc() are as for tc(8), in which a bare number is bits per second, and microseconds;
# and 1000000 is the same as '1000000'.
#
# Seen, of a tbf: a number is taken as the kernel has it, a text with a unit of pyroute2's where none is said.
#   rate=1000000        bytes per second, 8 Mbit/s          rate='1000000'      bits per second, 1 Mbit/s
#   latency=5000        microseconds, 5 ms                  latency='5000'      milliseconds, 5 s
# So of the rate the text is as for tc, and of the time the number.  The rate of an htb class is read by the same function.
# The documentation has examples with a unit, and no word about either without.
#
# Where it matters: a value comes as a text out of an argument or an environment variable, and as a number out of YAML or
# JSON.  The limit is eight times as high as meant, or packets wait in the queue for seconds; no error says so.
#
# Needs: root, mmdebstrap, python3 with pip, PyPI, unshare, a kernel with veth and sch_tbf.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='iproute2=6.15.0-1,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{proc,sys}
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: --target "$tree/modules" 'pyroute2==0.9.7'

cat >"$tmp/show.py" <<'EOP'
import subprocess
import sys

sys.path.insert(0, sys.argv[1] + "/modules")
from pyroute2 import IPRoute

def tc(*words):
    command = ["chroot", sys.argv[1], "/sbin/tc", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout

with IPRoute() as route:
    route.link("add", ifname="it", kind="veth", peer="other")
    index = route.link_lookup(ifname="it")[0]

    def shown(text):
        words = tc("qdisc", "show", "dev", "it", "root").split()
        print(f"{text:33}", " ".join(words[words.index("rate"):]))
        tc("qdisc", "del", "dev", "it", "root")

    for rate, latency in (("1mbit", "5ms"), (1000000, "5ms"), ("1000000", "5ms"), ("1mbit", 5000), ("1mbit", "5000")):
        route.tc("add", "tbf", index, 0x10000, rate=rate, burst=4000, latency=latency)
        shown(f"rate={rate!r}, latency={latency!r}")
    tc("qdisc", "add", "dev", "it", "root", "tbf", "rate", "1000000", "burst", "4000", "latency", "5000")
    shown("tc rate 1000000 latency 5000")
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount -t proc proc /proc && "$2/venv/bin/python" "$2/show.py" "$1"' - "$tree" "$tmp" |
    tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
rate='1mbit', latency='5ms'       rate 1Mbit burst 4000b lat 5ms
rate=1000000, latency='5ms'       rate 8Mbit burst 4000b lat 5ms
rate='1000000', latency='5ms'     rate 1Mbit burst 4000b lat 5ms
rate='1mbit', latency=5000        rate 1Mbit burst 4000b lat 5ms
rate='1mbit', latency='5000'      rate 1Mbit burst 4000b lat 5s
tc rate 1000000 latency 5000      rate 1Mbit burst 4000b lat 5ms
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
