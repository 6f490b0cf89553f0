#!/bin/bash
# crun, mounts[].options: what takes another option back does nothing, wherever it stands; with runc the last counts
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+b4 (Debian 13).
#
# Expected: options are read as mount(8) reads them, from left to right; of ro and rw, noexec and exec, the last counts.
#
# Seen, of a tmpfs with these options:
#   "ro", "rw"; "noexec", "exec"; "nosuid", "suid"; "nodev", "dev"; "noatime", "atime"; "sync", "async"
#           runc: the second one.  crun: the first one, as if the second were not there; "rw", "ro" is ro with both.
#   "defaults"
#           crun: a tmpfs.  runc: takes it for an option of the file system, tmpfs does not know it, and no container.
# The same of a bind mount with "ro", "rw" and "noexec", "exec".
#
# Where it matters: whoever has options from two places, a default "ro,nosuid,noexec" and what the user wants instead,
# and puts one behind the other, gets what the user wants of runc only.  They have to be merged before.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='runc=1.1.15+ds1-2+b4,crun=1.21-1,libseccomp2=2.6.0-2,busybox-static,base-files,dash,coreutils,grep,mount' \
    trixie "$tree"
mkdir -p "$tree"/bundle/rootfs/{bin,dev,proc} "$tree"/{dev,proc,run,sys}
cp "$tree/usr/bin/busybox" "$tree/bundle/rootfs/bin/busybox"

cat >"$tree/show" <<'EOP'
# a cgroup of this name is made
id=finding-$(cut -c1-8 /proc/sys/kernel/random/uuid)

# run TYPE SOURCE OPTIONS: what the mount is in the container
run() {
    cat >/bundle/config.json <<EOC
{
  "ociVersion": "1.0.2",
  "process": {"args": ["/bin/busybox", "grep", " /it ", "/proc/mounts"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    {"destination": "/it", "type": "$1", "source": "$2", "options": [$3]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}
}
EOC
    for runtime in crun runc; do
        seen=$($runtime run --bundle /bundle "$id" 2>/dev/null </dev/null | cut -d' ' -f4 | tr , '\n' |
            grep -xE 'r[ow]|no(exec|suid|dev|atime)|sync' | tr '\n' ' ')
        $runtime delete --force "$id" 2>/dev/null
        echo "$1 $3 of $runtime: ${seen:-no container}" | tr -d '"'
    done
}
for pair in '"ro", "rw"' '"rw", "ro"' '"noexec", "exec"' '"nosuid", "suid"' '"nodev", "dev"' '"noatime", "atime"' \
    '"sync", "async"' '"defaults"'; do
    run tmpfs tmpfs "$pair"
done
mkdir /source
mount -t tmpfs source /source
run none /source '"bind", "ro", "rw"'
run none /source '"bind", "noexec", "exec"'
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "tmpfs ro, rw of crun: ro " \
    "tmpfs ro, rw of runc: rw " \
    "tmpfs rw, ro of crun: ro " \
    "tmpfs rw, ro of runc: ro " \
    "tmpfs noexec, exec of crun: rw noexec " \
    "tmpfs noexec, exec of runc: rw " \
    "tmpfs nosuid, suid of crun: rw nosuid " \
    "tmpfs nosuid, suid of runc: rw " \
    "tmpfs nodev, dev of crun: rw nodev " \
    "tmpfs nodev, dev of runc: rw " \
    "tmpfs noatime, atime of crun: rw noatime " \
    "tmpfs noatime, atime of runc: rw " \
    "tmpfs sync, async of crun: rw sync " \
    "tmpfs sync, async of runc: rw " \
    "tmpfs defaults of crun: rw " \
    "tmpfs defaults of runc: no container" \
    "none bind, ro, rw of crun: ro " \
    "none bind, ro, rw of runc: rw " \
    "none bind, noexec, exec of crun: rw noexec " \
    "none bind, noexec, exec of runc: rw "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
