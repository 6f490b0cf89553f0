#!/bin/bash
# crun, a seccomp profile that differs from an earlier one in errnoRet only: the earlier one's errno is returned
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+b4, libseccomp2 2.6.0-2 (Debian 13).
#
# Expected: a call that the profile refuses fails with the errnoRet of that profile, EPERM if it has none; what other
# containers have makes no difference.
#
# Seen, of three containers one after the other, each refusing mkdir(2), with errnoRet 28 (ENOSPC), 2 (ENOENT), and none:
#   runc: 28, 2, 1 (EPERM).
#   crun: 28, 28, 28.  It keeps the compiled filters below its state directory, each under a digest of the profile, and
#         errnoRet is not in it; the first container with such a profile decides for those after it.
# Another --root, and so another cache, and the second has its own.
#
# Where it matters: programs choose what to do by the errno (ENOSYS: the older call is tried, EPERM: given up); a profile
# that has been mended from EPERM to ENOSYS goes on failing where the old one has run once.
#
# Known to crun: its pull request 2237 has a test that errnoRet is part of the cache's key.
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

# run RUNTIME ERRNO NAME: what mkdir says in a container whose profile has this errnoRet
run() {
    runtime=$1
    cat >/bundle/config.json <<EOC
{
  "ociVersion": "1.0.2",
  "process": {"args": ["/bin/busybox", "mkdir", "/new"], "cwd": "/", "user": {"uid": 0, "gid": 0}},
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}
  ],
  "linux": {
    "namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}],
    "seccomp": {
      "defaultAction": "SCMP_ACT_ALLOW",
      "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO"$2}]
    }
  }
}
EOC
    said=$($runtime run --bundle /bundle "$id" 2>&1 </dev/null)
    $runtime delete --force "$id" 2>/dev/null
    echo "$runtime, $3: ${said##*: }"
}
for runtime in crun runc; do
    run $runtime ', "errnoRet": 28' 28
    run $runtime ', "errnoRet": 2' 2
    run $runtime '' none
done
run 'crun --root /run/other' ', "errnoRet": 2' 2
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "crun, 28: No space left on device" \
    "crun, 2: No space left on device" \
    "crun, none: No space left on device" \
    "runc, 28: No space left on device" \
    "runc, 2: No such file or directory" \
    "runc, none: Operation not permitted" \
    "crun --root /run/other, 2: No such file or directory"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
