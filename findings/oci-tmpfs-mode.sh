#!/bin/bash
# A tmpfs without mode= can be written to at the first start of a container, and no longer at the second (crun, runc)
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+b4 (Debian 13).
#
# Expected: a mount of type tmpfs whose options have no mode is as tmpfs(5) says, 1777; at least it is the same at each
# start of one bundle.
#
# Seen, of a tmpfs at /cache, which the root file system doesn't have, used by process.user 1000:
#   first start: 1777 with both, and it can write.
#   second start: 1755 with crun, 755 with runc, of root, and it can't.
# Both make a directory for the mount point at the first start, which stays in the root file system; and both give a tmpfs
# the mode of the directory that is below it, if one is there, so of their own one at the second.
# With "mode=1777" among the options, the same with both, at each start.
#
# Where it matters: a service with a user and a cache directory, which works until it is restarted.  A test of a new
# bundle doesn't show it, nor does a root file system that is read-only or thrown away.  A tmpfs has to be given a mode.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='runc=1.1.15+ds1-2+b4,crun=1.21-1,busybox-static,base-files,dash,coreutils,grep,mount' trixie "$tree"
mkdir -p "$tree"/bundle/rootfs/{bin,dev,proc} "$tree"/{dev,proc,run,sys}
cp "$tree/usr/bin/busybox" "$tree/bundle/rootfs/bin/busybox"

cat >"$tree/show" <<'EOP'
# a cgroup of this name is made
id=finding-$(cut -c1-8 /proc/sys/kernel/random/uuid)

# start RUNTIME OPTIONS: what the tmpfs is, and whether the user can write
start() {
    cat >/bundle/config.json <<EOC
{
  "ociVersion": "1.0.2",
  "process": {
    "args": ["/bin/busybox", "sh", "-c", "busybox stat -c %a /cache; busybox touch /cache/it && echo written"],
    "cwd": "/", "user": {"uid": 1000, "gid": 1000}, "env": ["PATH=/bin"]
  },
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    {"destination": "/cache", "type": "tmpfs", "source": "tmpfs", "options": [$2]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]}
}
EOC
    $1 run --bundle /bundle "$id" 2>/said </bundle/config.json | tr '\n' ' '
    $1 delete --force "$id" 2>/dev/null
}
for runtime in crun runc; do
    for options in '' '"mode=1777"'; do
        rm -rf /bundle/rootfs/cache
        for times in first second; do
            echo "$runtime [$options] $times: $(start $runtime "$options")" | tr -d '"'
        done
    done
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "crun [] first: 1777 written " "crun [] second: 1755 " "runc [] first: 1777 written " "runc [] second: 755 " \
    "crun [mode=1777] first: 1777 written " "crun [mode=1777] second: 1777 written " \
    "runc [mode=1777] first: 1777 written " "runc [mode=1777] second: 1777 written "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
