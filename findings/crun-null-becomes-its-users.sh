#!/bin/bash
# With /dev/null as a standard stream, crun gives the container's /dev/null to its user
#
# Versions: runc 1.1.15+ds1-2+b4, crun 1.21-1 (Debian 13).
#
# Expected: /dev/null in a container belongs to root, whoever the program is, and whatever its standard streams are.
#
# Seen, of a container with process.user 1000:1000 that asks stat(1) for the owner of its /dev/null:
#   runc: 0:0.
#   crun, with files as standard streams: 0:0.
#   crun, with /dev/null as standard input: 1000:1000.  It gives standard streams to the user, so that they can be
#   opened again by name, and takes /dev/null in the container for one of them.
#
# Where it matters: podman and conmon start everything that is detached with /dev/null, so in most containers with a user
# the program may take its /dev/null away from all others (chmod 600); and a comparison of what two runtimes show differs.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='runc=1.1.15+ds1-2+b4,crun=1.21-1,busybox-static,base-files,dash,coreutils,grep,mount' trixie "$tree"
bundle=$tree/bundle
mkdir -p "$bundle"/rootfs/{bin,dev,proc,sys} "$tree"/{dev,proc,run,sys}
cp "$tree/usr/bin/busybox" "$bundle/rootfs/bin/busybox"
cat >"$bundle/config.json" <<'EOP'
{
  "ociVersion": "1.0.0",
  "process": {"args": ["/bin/busybox", "stat", "-c", "%u:%g", "/dev/null"], "cwd": "/", "user": {"uid": 1000, "gid": 1000}},
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}
}
EOP

cat >"$tree/show" <<'EOP'
for runtime in runc crun; do
    for input in /dev/null /show; do
        echo "$runtime $input: $($runtime run --bundle /bundle it 2>/said <$input)"
    done
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "runc /dev/null: 0:0" "runc /show: 0:0" "crun /dev/null: 1000:1000" "crun /show: 0:0"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
