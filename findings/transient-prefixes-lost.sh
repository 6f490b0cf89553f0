#!/bin/bash
# A transient unit's commands with +, ! or : are gone after daemon-reload, with systemd 252
#
# Versions: systemd 252.39-1~deb12u2 (Debian 12).
#
# Expected: `systemd-run --property='ExecStopPost=+/sbin/clean-up'` has a clean-up with all privileges, as in a unit file,
# for as long as the unit runs.
#
# Seen: systemd-run hands commands with such a prefix to systemd in a property of its own, ExecStopPostEx, and systemd
# writes that name into the unit's file in /run/systemd/transient.  Unit files know no such key: after the next
# daemon-reload the command is none of the unit's any more.  Nothing is said but "Unknown key" in the journal, and
# the unit ends with success, without a clean-up.  What has no prefix, or `-` or `@`, stays.
#
# Where it matters: what is started by systemd-run or over D-Bus, and ends after some package has reloaded systemd.
# ExecStartPre= and ExecCondition= go the same way: what they were to wait for or refuse is not looked at when the unit is
# started again.  systemd 257 writes the key without the Ex.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='systemd=252.39-1~deb12u2,base-files,base-passwd,dash,coreutils,mount' \
    bookworm "$tree"
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
for prefix in - + ! :; do
    for reload in '' reloaded; do
        systemd-run --quiet --unit=it --property=DefaultDependencies=no \
            --property="ExecStopPost=$prefix/bin/touch /cleaned" sleep 1000
        [ -z $reload ] || systemctl daemon-reload
        systemctl stop it
        echo "$prefix ${reload:-before}: $(rm /cleaned 2>/dev/null && echo cleaned up || echo nothing)"
        systemctl reset-failed it 2>/dev/null
    done
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
            chroot . /lib/systemd/systemd --log-target=null" </dev/null
    mount -t cgroup2 cgroup2 mnt
    echo 0 >mnt/cgroup.procs
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$"
cat "$tree/err" >&2
tee "$tmp/out" <"$tree/out"

for line in "- before: cleaned up" "- reloaded: cleaned up" "+ before: cleaned up" "+ reloaded: nothing" \
    "! before: cleaned up" "! reloaded: nothing" ": before: cleaned up" ": reloaded: nothing"; do
    if ! grep -qxF -e "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
