#!/bin/bash
# A poststart hook that fails: one runtime ends the container, the other one says nothing at all
#
# Versions: runc 1.1.15+ds1-2+b4, crun 1.21-1 (Debian 13).
#
# Expected: two runtimes for one config.json agree on whether the container lives.
#
# Seen, of a container whose hooks.poststart is /bin/false:
#   runc: `start` exits 1; the process, which ran already, is killed, and the container is gone.
#   crun: `start` exits 0 with nothing on stderr, and the container runs.
#
# Where it matters: a hook that opens a firewall or registers a service after the start is a condition with one runtime
# and a wish with the other one; what must not fail silently belongs into createRuntime, which both take seriously.
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
  "process": {"args": ["/bin/busybox", "sleep", "1000"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
  ],
  "hooks": {"poststart": [{"path": "/bin/false"}]},
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"}]}
}
EOP

cat >"$tree/show" <<'EOP'
for runtime in runc crun; do
    $runtime create --bundle /bundle it >/dev/null 2>&1 </dev/null
    $runtime start it 2>/said
    status=$?
    [ -s /said ] && said=something || said=nothing
    $runtime state it 2>/dev/null | grep -q '"status": "running"' && state=running || state=gone
    echo "$runtime: start exits $status, says $said, $state"
    $runtime delete --force it 2>/dev/null
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "runc: start exits 1, says something, gone" "crun: start exits 0, says nothing, running"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
