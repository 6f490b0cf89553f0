#!/bin/bash
# runc and crun in another time namespace: a container that runs is said to be stopped, and is deleted without --force
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+deb13u1 (Debian 13), Linux 6.18 (the running kernel is shown).
#
# Expected: whether a process lives doesn't depend on the clock of who asks.  time_namespaces(7) speaks of the two clocks that
# it moves, and of /proc/uptime; a container is deleted only once it is stopped (OCI's runtime specification), and
# `delete` of one that runs is refused.
#
# Seen: both keep the start time of a container's process, field 22 of /proc/PID/stat, to know it from another one that has
# its number later.  The kernel shows that time by the time namespace of the *reader*.  So of a container that runs, asked
# from a time namespace with another boot time, the process is taken for another one:
#   state     "stopped", with pid 0.
#   exec      refused: the container is stopped.
#   delete    exit status 0, and the container is forgotten.  Of runc the process runs on, and nothing can be found of it any
#             more; crun kills it, with all that is left in its cgroup.
# The other way round it is the same: of a container that was started there, all is so from outside.
#
# Where it matters: engines and their clean-up jobs in a time namespace (a nested container that crun or systemd made with
# one, `unshare --time`, a tree that CRIU has restored: it makes a time namespace).  And all who keep a number and a start
# time to know a process again: the pair holds within one time namespace; a pidfd, or its inode, holds everywhere.
#
# Needs: root, mmdebstrap, unshare with --time, cgroup2, a kernel with time namespaces.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='runc=1.1.15+ds1-2+deb13u1,crun=1.21-1,busybox-static,base-files,dash,coreutils,grep,mount,sed,util-linux' \
    trixie "$tree"
bundle=$tree/bundle
mkdir -p "$bundle"/rootfs/{bin,dev,proc} "$tree"/{dev,proc,run,sys,mnt}
cp "$tree/usr/bin/busybox" "$bundle/rootfs/bin/busybox"
cat >"$bundle/config.json" <<'EOP'
{
  "ociVersion": "1.0.0",
  "process": {"args": ["/bin/busybox", "sleep", "1000"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}
}
EOP

cat >"$tree/show" <<'EOP'
later() { unshare --time --boottime 100 --fork "$@"; }
status() { "$@" state it | sed -n 's/.*"status": "\(.*\)".*/\1/p'; }
code() { "$@" >/said 2>&1 && echo 0 || echo refused; }
for runtime in runc crun; do
    $runtime run --detach --bundle /bundle --pid-file /pid it </dev/null >/said 2>&1
    echo "$runtime: $(status $runtime), in another time $(status later $runtime)"
    inside="exec it /bin/busybox true"
    echo "$runtime exec: $(code $runtime $inside), in another time $(code later $runtime $inside)"
    echo "$runtime delete: $(code $runtime delete it), in another time $(code later $runtime delete it)"
    process=$(code kill -9 "$(cat /pid)" | sed 's/^0$/runs on/; s/refused/gone/')
    echo "$runtime: state then $(code $runtime state it), process $process"
    rmdir /sys/fs/cgroup/it 2>/said || :
done
EOP
echo "Linux $(uname -r | cut -d. -f1,2)"
# pivot_root and not chroot: the runtimes enter the root of the mount namespace.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup && pivot_root . mnt &&
    cd / && PATH=/usr/sbin:/usr/bin:/sbin:/bin && umount -l /mnt && exec sh /show' - "$tree" | tee "$tmp/out"

for runtime in runc crun; do
    cat <<EOP
$runtime: running, in another time stopped
$runtime exec: 0, in another time refused
$runtime delete: refused, in another time 0
EOP
done >"$tmp/expected"
printf '%s\n' 'runc: state then refused, process runs on' 'crun: state then refused, process gone' >>"$tmp/expected"
sort -o "$tmp/expected" "$tmp/expected"
sort -o "$tmp/out" "$tmp/out"
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
