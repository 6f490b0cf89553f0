#!/bin/bash
# buildah build --cgroup-parent=NAME.slice with crun: NAME.slice is the container's own cgroup, and ends with the RUN
#
# Versions: buildah 1.39.3+ds1-1+b7, crun 1.21-1, runc 1.1.15+ds1-2+b4 (Debian 13).
#
# Expected: a parent is what the cgroup of each RUN is made in, whatever the runtime; buildah-build(1) says "the cgroups
# for the container will be created" below it.  What else is in it goes on.
#
# Seen, of a build with one RUN, and a process that was in the cgroup /work.slice before:
#   runc: the process goes on.
#   crun: the process is killed when the RUN ends.
# buildah hands the name over as it is, with nothing that says it is a parent, and --cgroup-manager=systemd does not reach
# the runtime of a build; crun takes it for the path of the container's cgroup, and removes that with all that is in it.
# A name with a dash is a path where nothing is (systemd nests a-b.slice in a.slice), so nothing happens.
#
# Where it matters: whoever gives builds a slice with limits, the one of the build's own service say, has it killed by the
# first RUN.  As a container's path of cgroup, a bare NAME.slice has to be read as a parent.
#
# Needs: root, mmdebstrap, unshare, cgroup2.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='buildah=1.39.3+ds1-1+b7,crun=1.21-1,runc=1.1.15+ds1-2+b4,netavark,busybox-static,base-files,dash,coreutils,mount'
mmdebstrap --quiet --variant=extract --include="$packages" trixie "$tree"
mkdir -p "$tree"/{context,dev,proc,run,storage,sys,etc/containers}
cp "$tree/usr/bin/busybox" "$tree/context/busybox"
printf 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "true"]\n' >"$tree/context/Containerfile"
echo 'root:x:0:0::/:/bin/sh' >"$tree/etc/passwd"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"

cat >"$tree/show" <<'EOP'
group=/sys/fs/cgroup/work.slice
mkdir $group
for runtime in runc crun; do
    sleep 1000 & process=$!
    echo $process >$group/cgroup.procs
    buildah --root /storage --runroot /run/storage --storage-driver vfs build --isolation oci --network host --no-cache \
        --ulimit nofile=100:100 --ulimit nproc=100:100 --runtime /usr/bin/$runtime --cgroup-parent work.slice /context \
        >/said 2>&1 && built=built || built=failed
    kill -0 $process 2>/dev/null && other='goes on' || other='is killed'
    echo "$runtime: $built, the process $other"
    kill $process 2>/dev/null
    wait $process 2>/dev/null
done
rmdir $group 2>/dev/null
true
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs storage && mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup &&
    mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "runc: built, the process goes on" "crun: built, the process is killed"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
