#!/bin/bash
# setsid --wait: a program that a signal has killed is exit status 143 or 15, depending on who has called setsid
#
# Versions: util-linux 2.41.5-0+deb13u1 (Debian 13).
#
# Expected: setsid(1): --wait returns the exit value of the program; killed by SIGTERM that is 143, as of a shell, or of
# `unshare --fork` and flock of the same package, which wait for a program too.
#
# Seen: setsid forks only if it is the leader of a process group, which can't make a session.  It then exits with the number
# that wait(2) has given, as it is: 15 for SIGTERM, 9 for SIGKILL, and for a dumped core 128 more.  As a child that leads no
# group it becomes the program, and the status is 128 and the signal.
#   sh -c 'setsid --wait program; …'                        143
#   the same with job control (an interactive shell, set -m)   15, and "did not exit normally"
#   setsid --fork --wait program                            15
# flock and unshare --fork have 143 in all three.
#
# Where it matters: who takes statuses over 128 for signals: what was tried at a prompt has another status in a script, and
# a program that was killed by SIGHUP or SIGINT, 1 and 2 then, looks like one that has failed by itself.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='util-linux=2.41.5-0+deb13u1,base-files,bash,coreutils' trixie "$tree"
mkdir -p "$tree"/{dev,proc,tmp}

cat >"$tree/show" <<'EOP'
# its last part with job control: each command leads a process group
ulimit -c 0
status() {
    title=$1; shift
    "$@" >/dev/null 2>&1 </dev/null
    echo "$title: $?"
}
part() {
    for signal in HUP KILL TERM; do
        status "$1, setsid --wait, SIG$signal" setsid --wait bash -c "kill -$signal \$\$"
    done
    status "$1, setsid --fork --wait, SIGTERM" setsid --fork --wait bash -c 'kill -TERM $$'
    status "$1, flock, SIGTERM" flock /tmp/lock bash -c 'kill -TERM $$'
    status "$1, unshare --fork, SIGTERM" unshare --fork bash -c 'kill -TERM $$'
    status "$1, setsid --wait, exit 15" setsid --wait bash -c 'exit 15'
}
part script
set -m
part "job control"
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c 'mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
    exec chroot "$1" bash /show' - "$tree" 2>"$tmp/err" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
script, setsid --wait, SIGHUP: 129
script, setsid --wait, SIGKILL: 137
script, setsid --wait, SIGTERM: 143
script, setsid --fork --wait, SIGTERM: 15
script, flock, SIGTERM: 143
script, unshare --fork, SIGTERM: 143
script, setsid --wait, exit 15: 15
job control, setsid --wait, SIGHUP: 1
job control, setsid --wait, SIGKILL: 9
job control, setsid --wait, SIGTERM: 15
job control, setsid --fork --wait, SIGTERM: 15
job control, flock, SIGTERM: 143
job control, unshare --fork, SIGTERM: 143
job control, setsid --wait, exit 15: 15
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    cat "$tmp/err"
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
