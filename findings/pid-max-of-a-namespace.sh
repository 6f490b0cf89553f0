#!/bin/bash
# A new PID namespace has kernel.pid_max 4194304, whatever the limit is outside, and PIDs above that limit
#
# Versions: Linux 6.18 (the running kernel is shown).
#
# Expected: kernel.pid_max is the machine's, as it was until Linux 6.13: a container reads what the administrator has set, and its
# PIDs are below it; or, as of a limit that each namespace has, a new one begins with its parent's.
#
# Seen, of a namespace with the limit 400, in another one in it, after 450 processes one after the other:
#   its kernel.pid_max    4194304, the largest there is; so it is in a namespace in the first one, of a machine with 32768.
#   PIDs                  beyond 400 there, while in the outer one they begin anew below 400, as the limit says.
#   a change of it        within the namespace it is allowed, to more than outside as well, and is not seen outside.
# The limit outside still holds for how many there are.
#
# Where it matters: a program with PIDs of 15 bits (old 32-bit ones, a table by PID, a lock file of five digits), for which pid_max
# is kept at 32768 on the machine: in its container it gets larger ones all the same, after some days.  A sysctl has
# to be set in the container, anew at each start.
#
# Needs: root, unshare, Linux 6.14.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

cat >"$tmp/inner" <<'EOP'
echo "inner, limit: $(cat /proc/sys/kernel/pid_max)"
for _ in $(seq 450); do /bin/true; done
sh -c 'if [ $$ -gt 400 ]; then echo "inner, PIDs: above 400"; else echo "inner, PIDs: up to 400"; fi'
echo 100000 >/proc/sys/kernel/pid_max
echo "inner, set: $(cat /proc/sys/kernel/pid_max)"
EOP
cat >"$tmp/outer" <<'EOP'
echo "outer, limit: $(cat /proc/sys/kernel/pid_max)"
echo 400 >/proc/sys/kernel/pid_max
echo "outer, set: $(cat /proc/sys/kernel/pid_max)"
unshare --mount --pid --fork --kill-child --mount-proc sh "$1/inner"
echo "outer, afterwards: $(cat /proc/sys/kernel/pid_max)"
sh -c 'if [ $$ -gt 400 ]; then echo "outer, PIDs: above 400"; else echo "outer, PIDs: up to 400"; fi'
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
before=$(cat /proc/sys/kernel/pid_max)
unshare --mount --pid --fork --kill-child --mount-proc sh "$tmp/outer" "$tmp" | tee "$tmp/out"
[ "$(cat /proc/sys/kernel/pid_max)" = "$before" ] && echo "machine: unchanged" | tee -a "$tmp/out"

cat >"$tmp/expected" <<'EOP'
outer, limit: 4194304
outer, set: 400
inner, limit: 4194304
inner, PIDs: above 400
inner, set: 100000
outer, afterwards: 400
outer, PIDs: up to 400
machine: unchanged
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
