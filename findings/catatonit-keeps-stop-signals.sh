#!/bin/bash
# catatonit starts its program with SIGTSTP, SIGTTIN and SIGTTOU blocked, and so is all that the program starts
#
# Versions: catatonit 0.2.1-2+b14, tini 0.19.0-3+b8, dumb-init 1.2.5-3 (Debian 13).
#
# Expected: a small init waits for processes and passes signals on; the program has the mask of signals, and the ignored
# ones, that it would have without.  (As nohup(1), a caller may have said what is ignored, and that outlives exec.)
#
# Seen, of a caller that has SIGHUP ignored and SIGUSR2 blocked:
#   tini: the program has the same.
#   catatonit: SIGTSTP, SIGTTIN and SIGTTOU are blocked besides.  SIGTSTP, of Ctrl-Z or kill(1), stays pending, and the
#       program goes on; in the background, it reads from the terminal without being stopped.
#   dumb-init: nothing of the two is ignored or blocked; it has made all of it anew, so a nohup before it is in vain.
#
# Where it matters: `podman run --init` is catatonit: what is started there by a program that leaves the mask alone can't
# be suspended, though it can without --init.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='catatonit=0.2.1-2+b14,tini=0.19.0-3+b8,dumb-init=1.2.5-3,base-files,bash,coreutils,grep,sed,util-linux' \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,tmp}

cat >"$tree/show" <<'EOP'
# Each job is a process group with its parent in the session: no orphan, which SIGTSTP would not stop either.
set -m
# look NAME COMMAND: the signals of a program below it, and its state after SIGTSTP
look() {
    name=$1; shift
    (trap '' HUP; exec env --block-signal=USR2 "$@" sleep 1000) & job=$!
    pid=$job
    until [ "$(cat /proc/$pid/comm)" = sleep ]; do
        child=
        read -r child _ </proc/$job/task/$job/children || :
        pid=${child:-$job}
        sleep 0.1
    done
    echo "$name: $(signals SigBlk), $(signals SigIgn)"
    # Below dumb-init, it is a session of its own.
    [ $name = dumb-init ] || suspend
    kill -KILL $pid
    kill -CONT $job
    wait $job
}
suspend() {
    kill -TSTP $pid
    sleep 1
    echo "$name, SIGTSTP: $(sed -n 's/^State:.*(\(.*\))/\1/p' /proc/$pid/status), pending $(pending)"
}
has() { ((0x$(sed -n "s/^$1:\t//p" /proc/$pid/status) >> $2 - 1 & 1)); }
signals() {
    echo -n "$1"
    for number in 1 12 20 21 22; do ! has $1 $number || echo -n " $(kill -l $number)"; done
}
pending() { if has ShdPnd 20; then echo TSTP; else echo none; fi; }
look none
look tini tini -s --
look catatonit catatonit --
look dumb-init dumb-init --
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && exec chroot "$1" /bin/bash -c "/bin/bash /show 2>/said"' \
    - "$tree" | tee "$tmp/out"

for line in "none: SigBlk USR2, SigIgn HUP" "tini: SigBlk USR2, SigIgn HUP" \
    "catatonit: SigBlk USR2 TSTP TTIN TTOU, SigIgn HUP" "dumb-init: SigBlk, SigIgn" \
    "none, SIGTSTP: stopped, pending none" "tini, SIGTSTP: stopped, pending none" \
    "catatonit, SIGTSTP: sleeping, pending TSTP"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
