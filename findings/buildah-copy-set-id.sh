#!/bin/bash
# buildah: COPY of a Containerfile takes set-user-ID and set-group-ID off; "buildah copy" and an archive do not
#
# Versions: buildah 1.39.3+ds1-1+b7 (Debian 13).
#
# Expected: COPY keeps the mode, as the Dockerfile reference has it but for owner and --chmod; and "buildah copy" is the same
# deed by hand: buildah-copy(1) and Containerfile(5) say nothing of bits that are lost.
#
# Seen, of files of mode 4755, 2755 and 1755 and a directory of 2775 in the context:
#   COPY and ADD in a Containerfile     755, 755, 1755 and 775: the set-ID bits are gone, of directories too; sticky stays.
#   ADD of a tar with the same          4755, 2755, 1755 and 2775.
#   buildah copy, buildah add           4755, 2755, 1755 and 2775, out of the same context.
#
# Where it matters: whoever turns a script of buildah's commands into a Containerfile or back: sudo, ping or a group's
# directory work in one and not in the other.  RUN chmod, --chmod= or an archive do it.
# What is known: buildah's issue 574, open: it was made so for docker 19.03's sake.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='buildah=1.39.3+ds1-1+b7,crun=1.21-1,netavark,tar,base-files,dash,coreutils,mount'
mmdebstrap --quiet --variant=extract --include="$packages" trixie "$tree"
mkdir -p "$tree"/{context/data,dev,proc,run,storage,sys,tmp,var/tmp,etc/containers}
echo 'root:x:0:0::/:/bin/sh' >"$tree/etc/passwd"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"
printf 'FROM scratch\nCOPY data /copy\nADD data /add\nADD data.tar /archive\n' >"$tree/context/Containerfile"

cat >"$tree/show" <<'EOP'
set -eu
cd /context
for mode in 4755 2755 1755; do echo text >data/$mode; chmod $mode data/$mode; done
mkdir data/2775; chmod 2775 data/2775
tar -C data -cf data.tar .
builder() { buildah --root /storage --runroot /run/storage --storage-driver vfs "$@"; }
modes() { echo "$1: $(cd "$2"; for name in 4755 2755 1755 2775; do stat -c %a $name; done | tr '\n' ' ')"; }
builder build --quiet --tag it . >/dev/null
root=$(builder mount "$(builder from it)")
modes 'COPY' "$root/copy"
modes 'ADD' "$root/add"
modes 'ADD of an archive' "$root/archive"
container=$(builder from scratch)
for verb in copy add; do
    builder $verb --quiet "$container" data /$verb >/dev/null
    modes "buildah $verb" "$(builder mount "$container")/$verb"
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
COPY: 755 755 1755 775 
ADD: 755 755 1755 775 
ADD of an archive: 4755 2755 1755 2775 
buildah copy: 4755 2755 1755 2775 
buildah add: 4755 2755 1755 2775 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
