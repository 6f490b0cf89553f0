#!/bin/bash
# nftables: of `meta day "Monday" meta hour "00:00"-"08:00"`, the hour is local and the day is of UTC
#
# Versions: Linux 6.18 (the running kernel is shown), nftables 1.1.3-1 (Debian 13).
#
# Expected: nft(8) has `meta time`, `meta hour` and `meta day` side by side, and a listing has the times of the caller's
# zone (TZ), so all three are in that zone; a rule with a day and an hour holds in those hours of that day.
#
# Seen, of packets sent where the zone has another day of the week than UTC:
#   time and hour of the zone match: nft makes UTC of them for the kernel, and the zone's of them when it lists.
#   the day of the zone doesn't match, UTC's does: nft hands the day over as it is written, and the kernel takes it for
#       one of its own zone (settimeofday(2)), which is UTC on all machines whose hardware clock is.
#   day and hour of this moment, in one rule: no packet.  It holds a day later or earlier.
# The manual page has no word of it.
#
# Where it matters: "no access on Sunday, 20:00 to 24:00", west of Greenwich, where that is Monday in UTC: it holds on
# Saturday evening.  In Europe it is the first hours after midnight.  A rule can be tried at noon for years.
#
# Needs: root, mmdebstrap, unshare, nf_tables in the kernel.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='nftables=1.1.3-1,libnftables1=1.1.3-1,base-files,bash,coreutils,grep,iproute2,sed' trixie "$tree"
mkdir -p "$tree/dev"

cat >"$tree/show" <<'EOP'
set -eu
export LC_ALL=C
ip link set lo up
# A zone that has tomorrow in UTC's second half of the day, and yesterday in its first
if [ "$(date -u +%H)" -ge 12 ]; then export TZ=XXX-13; else export TZ=XXX+13; fi
local=$(date +%A) utc=$(date -u +%A)
from=$(date '+%F %T') to=$(date -d '10 minutes' '+%F %T')

cat >/rules <<X
table inet it {
    chain out {
        type filter hook output priority 0
        meta time "$from"-"$to" counter comment "local time"
        meta hour "${from#* }"-"${to#* }" counter comment "local hour"
        meta day "$local" counter comment "local day"
        meta day "$utc" counter comment "day of UTC"
        meta day "$local" meta hour "${from#* }"-"${to#* }" counter comment "local day and hour"
        meta day "$utc" meta hour "${from#* }"-"${to#* }" counter comment "day of UTC, local hour"
    }
}
X
nft -f /rules
# Three packets by the loopback device, which nobody takes
for _ in 1 2 3; do echo >/dev/udp/127.0.0.1/9 || :; done 2>/said
nft list ruleset | sed -nE 's/.*counter packets ([0-9]+) .*comment "(.*)"/\2: \1/p' |
    sed -E 's/: [1-9].*/: matches/; s/: 0/: never/'
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# In namespaces of their own: no rule of the machine is touched.
# shellcheck disable=SC2016 # for the inner shell
unshare --net --mount sh -c 'mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/bash /show' - "$tree" | tee "$tmp/out"

for line in "local time: matches" "local hour: matches" "local day: never" "day of UTC: matches" \
    "local day and hour: never" "day of UTC, local hour: matches"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
