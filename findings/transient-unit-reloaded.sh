#!/bin/bash
# A transient unit that runs is another one after daemon-reload: its commands, its timeouts, its mounts
#
# Versions: systemd 257.13-1~deb13u1 (Debian 13).
#
# Expected: systemctl(1) has daemon-reload for unit files that have changed.  Of a transient unit none has, so what
# was asked for with systemd-run(1) stays as it is.
#
# Seen: systemd writes what it is asked for to a file in /run/systemd/transient, and goes on with what it has in memory;
# daemon-reload reads the file.  Of these it is not what was asked for, and no command says so:
#   ExecStopPost=/bin/echo ${X}      has the value of X; afterwards the word "${X}": each $ is doubled in the file.
#   TimeoutStopSec=0                 kills at once, with no time to clean up; afterwards it never does (as 0 in a unit
#                                    file has always meant).
#   BindPaths=/etc:/mnt/a\:b         is /etc at "/mnt/a:b"; afterwards it is gone: written without the backslash.
#   RequiresMountsFor="/srv/a b"     is of "/srv/a b"; afterwards of /srv/a: written without quotes.
# systemctl show tells of each, before and after; systemctl cat shows the file all the time.
#
# Where it matters: many a package reloads systemd when it is installed.  A command of a service that was started by systemd-run or
# over D-Bus (ExecStop=/bin/kill $MAINPID) worked when it was tried, and fails in the week after.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='systemd=257.13-1~deb13u1,base-files,base-passwd,dash,coreutils,mount' \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,mnt,etc/systemd/system}
echo 'root:x:0:0::/:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
: >"$tree/etc/machine-id"
cat >"$tree/etc/systemd/system/default.target" <<'EOP'
[Unit]
DefaultDependencies=no
Wants=show.service
EOP
cat >"$tree/etc/systemd/system/show.service" <<'EOP'
[Unit]
DefaultDependencies=no
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/sh /show
StandardOutput=file:/out
StandardError=file:/err
TimeoutStartSec=60
EOP
cat >"$tree/show" <<'EOP'
# both WHAT WORDS: what a unit with the property WORDS is, before and after
both() {
    what=$1; shift
    systemd-run --quiet --unit=it --property=DefaultDependencies=no "$@" sleep 1000
    systemctl show --property="$what" it
    systemctl daemon-reload
    echo "reloaded: $(systemctl show --property="$what" it)"
    systemctl kill --signal=KILL it
    systemctl stop it
    systemctl reset-failed it 2>/dev/null
}
both TimeoutStopUSec --property=TimeoutStopSec=0
both BindPaths --property='BindPaths=/etc:/mnt/a\:b'
both RequiresMountsFor --property='RequiresMountsFor="/srv/a b"'

for reload in '' reloaded; do
    systemd-run --quiet --unit=it --property=DefaultDependencies=no --property=Environment=X=value \
        --property='ExecStopPost=/bin/sh -c "echo command: $0 >>/said" ${X}' sleep 1000
    [ -z $reload ] || systemctl daemon-reload
    systemctl stop it
    systemctl reset-failed it 2>/dev/null
    echo "${reload:-before}, $(cat /said)"
    rm /said
done
for reload in '' reloaded; do
    systemd-run --quiet --unit=it --property=DefaultDependencies=no --property=TimeoutStopSec=0 \
        sh -c 'trap "sleep 2; echo cleaned up >/said; exit" TERM; : >/ready; while :; do sleep 0.1; done'
    until [ -e /ready ]; do sleep 0.1; done
    [ -z $reload ] || systemctl daemon-reload
    systemctl stop it
    echo "${reload:-before}, stop: $(cat /said 2>/dev/null || echo killed)"
    systemctl reset-failed it 2>/dev/null
    rm /ready
done
EOP

# Its own systemd, in a cgroup and in namespaces that end with it.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir mnt/$2 && echo 0 >mnt/$2/cgroup.procs &&
    unshare --cgroup --net --ipc --uts --pid --fork --kill-child sh -c "
        umount mnt && mount -t proc proc proc && mount -t tmpfs -o mode=755 tmpfs run && mount -t sysfs -o ro sysfs sys &&
        mount -t tmpfs -o mode=755 tmpfs dev && touch dev/null && mount --bind /dev/null dev/null &&
        mount -t cgroup2 cgroup2 sys/fs/cgroup &&
        exec env -i container=finding PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
            chroot . /usr/lib/systemd/systemd --log-target=null" </dev/null
    mount -t cgroup2 cgroup2 mnt
    echo 0 >mnt/cgroup.procs
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$"
cat "$tree/err" >&2
tee "$tmp/out" <"$tree/out"

# shellcheck disable=SC2016 # what is seen
for line in "TimeoutStopUSec=0" "reloaded: TimeoutStopUSec=infinity" "BindPaths=/etc:/mnt/a:b:rbind" "reloaded: BindPaths=" \
    'RequiresMountsFor="/srv/a b"' "reloaded: RequiresMountsFor=/srv/a" "before, command: value" \
    'reloaded, command: ${X}' "before, stop: killed" "reloaded, stop: cleaned up"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
