#!/bin/bash
# A .path unit for a file that is not there: systemd makes all of its watches anew for each other name beside it
#
# Versions: systemd 257.13-1~deb13u1, strace 6.13+ds-1 (Debian 13).
#
# Expected: PathExists= and PathChanged= cost nothing before something happens to their file.
#
# Seen: until there is such a file, its directory is watched, and whatever comes into that has process 1 close the inotify
# instance of the unit and make another one with a watch, or two, for each directory of the path: of five other files, five
# times.  Once the file is there, others beside it are not seen.  The unit is not triggered, and neither `systemctl status`
# nor the journal tells of it.
#
# Where it matters: to close an instance takes a grace period of the kernel, 10 ms and more, in which systemd does nothing
# else; a unit that waits for a file in /run or in a spool directory slows down all that systemd does.  A directory of its
# own for the file helps.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='systemd=257.13-1~deb13u1,strace=6.13+ds-1,base-files,base-passwd,dash,coreutils,grep,mount' trixie "$tree"
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
cat >"$tree/etc/systemd/system/it.path" <<'EOP'
[Unit]
DefaultDependencies=no
[Path]
PathChanged=/run/box/file
Unit=it.service
EOP
cat >"$tree/etc/systemd/system/it.service" <<'EOP'
[Unit]
DefaultDependencies=no
[Service]
ExecStart=/bin/true
EOP
cat >"$tree/show" <<'EOP'
# others WHAT: how often process 1 makes an instance of inotify while five other files are made
others() {
    strace -p 1 -e trace=inotify_init1 -o /calls 2>/attached &
    until grep -q attached /attached; do sleep 0.1; done
    for number in 1 2 3 4 5; do
        : >/run/box/other$number
        sleep 0.3
    done
    kill $!
    wait
    rm /run/box/other*
    sleep 1
    echo "$1: $(grep -c inotify_init1 /calls)"
}
mkdir /run/box
systemctl start it.path
others "no file"
: >/run/box/file
sleep 1
others "a file"
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

for line in "no file: 5" "a file: 0"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
