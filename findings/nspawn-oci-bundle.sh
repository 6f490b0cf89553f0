#!/bin/bash
# systemd-nspawn --oci-bundle: no bind mount that is read-only, and no word about a property that it doesn't know
#
# Versions: systemd-container 257.13-1~deb13u1, crun 1.21-1 to compare, busybox-static 1:1.37.0-6+b9 (Debian 13).
#
# Expected: "the path to an OCI runtime bundle to invoke", says systemd-nspawn(1), "as specified in the OCI Runtime
# Specification".  That has "options": ["rbind", "rw"] in its example of a mount, and that runtimes ignore properties that
# they don't know, so that new ones can be added.
#
# Seen, of a config.json of version 1.0.0 that crun takes:
#   a mount of type bind         with "rbind" and nothing else, it is mounted, writable.  With "bind", "ro" or "rw" too,
#                                "Invalid bind mount option: ro" and exit 1: the options are taken for those of nspawn's
#                                own --bind=, so a bundle can't have a bind mount that is read-only.
#   process.user.umask           (or any other property that it doesn't know) exit 1, and nothing at all is said; with
#                                SYSTEMD_LOG_LEVEL=debug, "Unexpected OCI element 'umask' of type 'unsigned'."
#   "ociVersion": "1.0.2"        refused, as all but "1.0.0" are.
#
# Where it matters: bundles come from umoci, podman or containerd, and have all three.  After the version has been edited,
# nspawn just ends.  What is known: systemd's issue 22148 and pull request 42665, of the version.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='systemd-container=257.13-1~deb13u1,systemd=257.13-1~deb13u1,crun=1.21-1,busybox-static=1:1.37.0-6+b9'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,sed,grep,mount" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,mnt,old,shared} "$tree"/bundle/rootfs/{bin,dev,etc,proc,run,shared,sys,tmp,usr}
cp "$tree/usr/bin/busybox" "$tree/bundle/rootfs/bin/busybox"
echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"

cat >"$tree/show" <<'EOP'
set -eu
# bundle VERSION USER OPTIONS: a config.json with these
bundle() {
    cat >/bundle/config.json <<EOC
{
  "ociVersion": "$1",
  "process": {
    "args": ["/bin/busybox", "sh", "-c", "busybox grep -o ' /shared r[ow]' /proc/self/mountinfo; busybox true"],
    "cwd": "/", "user": {"uid": 0, "gid": 0$2}, "env": ["PATH=/bin"]
  },
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/shared", "type": "bind", "source": "/shared"$3}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}
}
EOC
}
# start TITLE: what each of the two makes of it
start() {
    status=0; systemd-nspawn --quiet --register=no --keep-unit --oci-bundle=/bundle </dev/null >/said 2>&1 || status=$?
    echo "$1: nspawn: exit $status $(tr -d '\r' </said)"
    status=0; crun run --bundle /bundle it </dev/null >/said 2>&1 || status=$?
    echo "$1: crun: exit $status $(cat /said)"
}
bundle 1.0.0 '' ', "options": ["rbind"]';       start 'rbind'
bundle 1.0.0 '' ', "options": ["bind"]';        start 'bind'
bundle 1.0.0 '' ', "options": ["rbind", "rw"]'; start 'rbind, rw'
bundle 1.0.0 '' ', "options": ["rbind", "ro"]'; start 'rbind, ro'
bundle 1.0.0 ', "umask": 63' ', "options": ["rbind"]'; start 'umask'
export SYSTEMD_LOG_LEVEL=debug
systemd-nspawn --quiet --register=no --keep-unit --oci-bundle=/bundle </dev/null 2>&1 | grep -o 'Unexpected OCI element.*'
unset SYSTEMD_LOG_LEVEL
bundle 1.0.2 '' ', "options": ["rbind"]';       start '1.0.2'
EOP
cat >"$tree/start" <<'EOP'
umount mnt && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run && mount -t tmpfs tmpfs tmp &&
    mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup && pivot_root . old && umount -l /old &&
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C sh /show
EOP

# In a cgroup and in namespaces of its own, as both make cgroups.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t cgroup2 cgroup2 mnt && mkdir -p mnt/$2/below &&
    (echo 0 >mnt/$2/cgroup.procs && exec unshare --cgroup sh -c "
        echo 0 >mnt/$2/below/cgroup.procs && exec unshare --mount --net --ipc --uts --pid --fork --kill-child sh start")
    find mnt/$2 -depth -type d -exec rmdir {} +' - "$tree" "finding-$$" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
rbind: nspawn: exit 0  /shared rw
rbind: crun: exit 0  /shared rw
bind: nspawn: exit 1 Invalid bind mount option: bind
bind: crun: exit 0  /shared rw
rbind, rw: nspawn: exit 1 Invalid bind mount option: rw
rbind, rw: crun: exit 0  /shared rw
rbind, ro: nspawn: exit 1 Invalid bind mount option: ro
rbind, ro: crun: exit 0  /shared ro
umask: nspawn: exit 1 
umask: crun: exit 0  /shared rw
Unexpected OCI element 'umask' of type 'unsigned'.
1.0.2: nspawn: exit 1 OCI bundle version not supported: 1.0.2
1.0.2: crun: exit 0  /shared rw
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
