#!/bin/bash
# pyroute2: rule(dport=25, action='unreachable') is a rule for all packets: what has another name than it expects is left out
#
# Versions: pyroute2 0.9.7 (PyPI).
#
# Expected: a keyword that IPRoute.rule() or route() has no use for is an error, as of any Python function, and as of ip(8); or
# the names are those of ip(8), which pyroute2 takes for most.
#
# Seen: no error, no warning, and the rule or route is made without it.
#   ip-rule(8)                   pyroute2                 of the left one comes, with action='unreachable'
#   dport, sport                 dport_range='25:25'      a rule for all ports
#   ipproto                      ip_proto                 for all protocols
#   iif, oif                     iifname, oifname         for all interfaces
#   uidrange                     uid_range                for all users
#   mark, as nft has it          fwmark                   for all packets
#   suppress_prefixlength        suppress_prefixlen       a rule that takes the default route as well
#   metric of a route            priority                 a route of metric 0, which comes before all others
#   mtu of a route               metrics={'mtu': …}       a route with the MTU of the interface
#   weight of a next hop         hops, which is less 1    next hops of the same weight
# With the rule for port 25, or for packets from one interface, no destination can be reached.  Some others of ip(8), as "via",
# are errors of other kinds (TypeError, EINVAL).  And a range of ports as the documentation has it, "80-120", is a ValueError.
#
# Where it matters: rules for one port, one user or one interface, by which traffic is led into a tunnel or refused: all of
# the traffic is, and what was written reads well.  In a table of settings one wrong name is not found by a test that looks
# for the traffic that is meant.
#
# Needs: root, python3 with pip, PyPI, unshare, a kernel with veth.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: 'pyroute2==0.9.7'

cat >"$tmp/show.py" <<'EOP'
import errno
import socket

from pyroute2 import IPRoute

def reached():
    """Whether a datagram could be sent to a neighbour, port 53, by root, with no mark."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        try:
            sender.connect(("10.1.0.9", 53))
            return "sent"
        except OSError as error:
            return errno.errorcode[error.errno]

def made(dst):
    found, = (each for each in route.get_routes(table=254) if each.get("dst") == dst)
    return found

with IPRoute() as route:
    route.link("add", ifname="it", kind="veth", peer="other")
    index, other = (route.link_lookup(ifname=name)[0] for name in ("it", "other"))
    for each in index, other:
        route.link("set", index=each, state="up")
    route.addr("add", index=index, address="10.1.0.1/24")
    route.rule("add", table=254, priority=20)
    route.rule("del", table=255, priority=0)  # so that ours comes first; nothing here is local

    print("no rule:", reached())
    for names in (
        {"dport": 25}, {"dport_range": "25:25"}, {"sport": 25}, {"sport_range": "25:25"}, {"ipproto": 6}, {"ip_proto": 6},
        {"iif": "other"}, {"iifname": "other"}, {"oif": "other"}, {"oifname": "other"}, {"uidrange": "1:2"},
        {"uid_range": "1:2"}, {"mark": 5}, {"fwmark": 5},
    ):
        route.rule("add", priority=10, action="unreachable", **names)
        print(f"unreachable, {names}: {reached()}")
        route.rule("del", priority=10)
    try:
        route.rule("add", priority=10, action="unreachable", dport_range="80-120")
    except ValueError:
        print("dport_range='80-120': ValueError")
    for names in ({"suppress_prefixlength": 0}, {"suppress_prefixlen": 0}):
        route.rule("add", priority=10, table=254, **names)
        shown = route.get_rules(priority=10)[0].get("suppress_prefixlen")
        print(f"{names}: {'none' if shown == 0xFFFFFFFF else shown}")
        route.rule("del", priority=10)
    for names in ({"metric": 50}, {"priority": 50}, {"mtu": 1300}, {"metrics": {"mtu": 1300}}):
        route.route("add", dst="10.2.0.0/24", oif=index, **names)
        shown = made("10.2.0.0")
        metrics = shown.get("metrics")
        print(f"{names}: metric {shown.get('priority')}, mtu {metrics and metrics.get('mtu')}")
        route.route("del", dst="10.2.0.0/24")
    for name in "weight", "hops":
        hops = [{"gateway": "10.1.0.8", name: 2}, {"gateway": "10.1.0.9", name: 4}]
        route.route("add", dst="10.3.0.0/24", multipath=hops)
        shown = made("10.3.0.0")
        print(f"{name} 2 and 4: weights", *(hop["hops"] + 1 for hop in shown.get("multipath")))
        route.route("del", dst="10.3.0.0/24")
EOP
unshare --net "$tmp/venv/bin/python" -W error "$tmp/show.py" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
no rule: sent
unreachable, {'dport': 25}: ENETUNREACH
unreachable, {'dport_range': '25:25'}: sent
unreachable, {'sport': 25}: ENETUNREACH
unreachable, {'sport_range': '25:25'}: sent
unreachable, {'ipproto': 6}: ENETUNREACH
unreachable, {'ip_proto': 6}: sent
unreachable, {'iif': 'other'}: ENETUNREACH
unreachable, {'iifname': 'other'}: sent
unreachable, {'oif': 'other'}: ENETUNREACH
unreachable, {'oifname': 'other'}: sent
unreachable, {'uidrange': '1:2'}: ENETUNREACH
unreachable, {'uid_range': '1:2'}: sent
unreachable, {'mark': 5}: ENETUNREACH
unreachable, {'fwmark': 5}: sent
dport_range='80-120': ValueError
{'suppress_prefixlength': 0}: none
{'suppress_prefixlen': 0}: 0
{'metric': 50}: metric None, mtu None
{'priority': 50}: metric 50, mtu None
{'mtu': 1300}: metric None, mtu None
{'metrics': {'mtu': 1300}}: metric None, mtu 1300
weight 2 and 4: weights 1 1
hops 2 and 4: weights 3 5
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
