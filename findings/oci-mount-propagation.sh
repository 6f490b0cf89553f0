#!/bin/bash
# crun, a mount with "rslave" or "rshared": private, if the configuration has no rootfsPropagation; with runc as it says
#
# Versions: crun 1.21-1, runc 1.1.15+ds1-2+b4 (Debian 13).
#
# Expected: linux.rootfsPropagation is optional, and is of the root file system; a mount that has a propagation among its
# own options has that.
#
# Seen, of a bind mount of a shared mount of the host:
#   no rootfsPropagation: with runc an "rslave" mount is a slave of the host's, and an "rshared" one is also shared
#       itself.  With crun both are private: it makes all mounts of the container private at the end, which is what it
#       takes for the root's value when there is none, and the options are lost without a word.
#   "rootfsPropagation": "private" (not "rprivate"): with both the mount is as its options say.
#   "rootfsPropagation": "rslave", and the mount "rshared": with runc it is shared, with crun it is not.
#
# Where it matters: a directory whose later mounts of the host are to be seen in the container (removable media, an
# automounter, a CSI driver) stays empty with one of the two runtimes, of the same bundle.
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

# run ROOT OPTION NAME: what the mount is in a container with these
run() {
    cat >/bundle/config.json <<EOC
{
  "ociVersion": "1.0.2",
  "process": {"args": ["/bin/busybox", "grep", " /it ", "/proc/self/mountinfo"], "cwd": "/",
              "user": {"uid": 0, "gid": 0}},
  "root": {"path": "rootfs"},
  "mounts": [
    {"destination": "/proc", "type": "proc", "source": "proc"},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
    {"destination": "/it", "type": "none", "source": "/source", "options": ["rbind"$2]}
  ],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]$1}
}
EOC
    for runtime in crun runc; do
        $runtime run --bundle /bundle "$id" >/seen </dev/null
        $runtime delete --force "$id" 2>/dev/null
        seen=$(grep -oE ' (shared|master):' /seen | tr -dc 'a-z\n' | tr '\n' ' ')
        echo "$3, ${2#, } of $runtime: ${seen:-private}" | tr -d '"'
    done
}
mkdir /source
mount -t tmpfs source /source
mount --make-shared /source
for option in '"rslave"' '"rshared"'; do
    run '' ", $option" 'no rootfsPropagation'
    run ', "rootfsPropagation": "private"' ", $option" private
done
run ', "rootfsPropagation": "rslave"' ', "rshared"' rslave
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "no rootfsPropagation, rslave of crun: private" \
    "no rootfsPropagation, rslave of runc: master " \
    "no rootfsPropagation, rshared of crun: private" \
    "no rootfsPropagation, rshared of runc: shared master " \
    "private, rslave of crun: master " \
    "private, rslave of runc: master " \
    "private, rshared of crun: shared " \
    "private, rshared of runc: shared " \
    "rslave, rshared of crun: master " \
    "rslave, rshared of runc: shared master "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
