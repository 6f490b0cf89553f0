#!/bin/bash
# systemd's calendar: a timer for each quarter of an hour rests for 75 minutes when summer time ends, one for 02:30 misses a day
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13), with any tzdata that has Europe/Berlin as it is.
#
# Expected: systemd.time(7): "*:0/15" elapses each quarter of an hour.  Clocks that are put back show an hour twice, and each
# minute of both is a time that fits; what is at 02:30 on each day is, as with cron, done once on a day that has no 02:30.
#
# Seen, by systemd-analyze calendar, in Europe/Berlin (in UTC, 2027):
#   *:0/15, clocks are put back at 01:00     00:30, 00:45, 02:00, 02:15: nothing in the second of the two hours.
#   hourly                                   00:00, 02:00.
#   02:30 each day, clocks put forward       27 March at 01:30, then 29 March: nothing on the 28th.
#   02:30 each day, clocks put back          once, in the first of the two hours.
#   the same in UTC                          nothing is left out.
# It is so whether the zone is that of the system or is said in the timer.
#
# Where it matters: checks and back-ups by [Timer] in local time: what looks each quarter of an hour for trouble, or sends
# a sign of life, is silent long enough for an alarm.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='systemd=257.13-1~deb13u1,tzdata,base-files,dash,coreutils,sed' trixie "$tree"
mkdir -p "$tree"/{dev,proc}

cat >"$tree/show" <<'EOP'
export LC_ALL=C
# elapses ZONE BASE SPECIFICATION: the next times, in UTC
elapses() {
    times=$(TZ=$1 systemd-analyze calendar --iterations=5 --base-time="$2" "$3" |
        sed -nE 's/.*: [A-Z][a-z]{2} ([0-9-]+) ([0-9:]{5}):00 UTC$/\1 \2/p' | sed 's/^2027-//' | tr '\n' ',')
    echo "$1, $3:" "$times"
}
for zone in UTC Europe/Berlin; do
    elapses $zone '2027-10-31 00:20 UTC' '*:0/15'
    elapses $zone '2027-10-30 22:50 UTC' 'hourly'
    elapses $zone '2027-03-26 12:00 UTC' '*-*-* 02:30'
    elapses $zone '2027-10-29 12:00 UTC' '*-*-* 02:30'
done
elapses UTC '2027-10-31 00:20 UTC' '*:0/15 Europe/Berlin'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
    exec chroot "$1" sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
UTC, *:0/15: 10-31 00:30,10-31 00:45,10-31 01:00,10-31 01:15,10-31 01:30,
UTC, hourly: 10-30 23:00,10-31 00:00,10-31 01:00,10-31 02:00,10-31 03:00,
UTC, *-*-* 02:30: 03-27 02:30,03-28 02:30,03-29 02:30,03-30 02:30,03-31 02:30,
UTC, *-*-* 02:30: 10-30 02:30,10-31 02:30,11-01 02:30,11-02 02:30,11-03 02:30,
Europe/Berlin, *:0/15: 10-31 00:30,10-31 00:45,10-31 02:00,10-31 02:15,10-31 02:30,
Europe/Berlin, hourly: 10-30 23:00,10-31 00:00,10-31 02:00,10-31 03:00,10-31 04:00,
Europe/Berlin, *-*-* 02:30: 03-27 01:30,03-29 00:30,03-30 00:30,03-31 00:30,04-01 00:30,
Europe/Berlin, *-*-* 02:30: 10-30 00:30,10-31 00:30,11-01 01:30,11-02 01:30,11-03 01:30,
UTC, *:0/15 Europe/Berlin: 10-31 00:30,10-31 00:45,10-31 02:00,10-31 02:15,10-31 02:30,
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
