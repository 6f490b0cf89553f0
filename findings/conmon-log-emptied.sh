#!/bin/bash
# A container's log that reaches its size limit is emptied: podman logs has anything from the last line alone to all that fits
#
# Versions: podman 5.4.2+ds1-2+b2, conmon 2.1.12-4 (Debian 13).
#
# Expected: podman-run(1), --log-opt: "max-size: Specify a max size of the log file (e.g. 10mb)".  A log with a limit has the
# last 10 MB, or its older part is kept beside it, as of Docker's json-file and of logrotate.
#
# Seen: conmon begins an empty file when the next line would be too much.  What was there is gone.  Of a container that writes
# numbers from 1001 on, with max-size=2kb, podman logs has
#   of 40 lines     all 40.
#   of 41 lines     1, the last one.
#   of 42 lines     2, and so on up to 40 again, and then 1.
#
# Where it matters: a service that crashes just after has a log of a line or two, though its file may be 10 MB; `podman logs
# --tail 100` shows fewer.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='podman=5.4.2+ds1-2+b2,conmon=2.1.12-4,crun=1.21-1,catatonit=0.2.1-2+b14,busybox-static=1:1.37.0-6+b9'
mmdebstrap --quiet --variant=extract --include="$packages,base-files,dash,coreutils,mount,tar" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,mnt,etc/containers,it/bin}
cp "$tree/usr/bin/busybox" "$tree/it/bin/"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"
echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"

cat >"$tree/show" <<'EOP'
export STORAGE_DRIVER=vfs
tar -C /it -cf /it.tar . && podman import --quiet /it.tar localhost/it >/said
for number in 40 41 42 80; do
    podman run --network none --cgroups disabled --log-driver k8s-file --log-opt max-size=2kb --name it localhost/it \
        /bin/busybox seq 1001 $((1000 + number)) >/said
    echo "of $number lines: $(podman logs it | wc -l), from $(podman logs it | head -n 1)"
    podman rm it >/said
done
EOP
# pivot_root and not chroot: crun enters the root of the mount namespace.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup && pivot_root . mnt &&
    cd / && HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin && export HOME PATH && umount -l /mnt &&
    exec sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
of 40 lines: 40, from 1001
of 41 lines: 1, from 1041
of 42 lines: 2, from 1041
of 80 lines: 40, from 1041
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
