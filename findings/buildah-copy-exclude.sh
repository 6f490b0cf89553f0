#!/bin/bash
# buildah copy --exclude leaves nothing out, unless the pattern is from the root of the host's file system
#
# Versions: buildah 1.39.3+ds1-1+b7 (Debian 13).
#
# Expected: buildah-copy(1): "Exclude copying files matching the specified pattern. See containerignore(5)".  There, patterns
# are relative to the directory that is copied from; the manual page's example is `--exclude=**/*.md`.  A Containerfile's
# `COPY --exclude=` takes them so, too.
#
# Seen, of `buildah copy --exclude=PATTERN CONTAINER . /x` in /srv/context, which has key and deploy/key:
#   key, deploy/key, ./key, /srv/context/key   both files are in the image, exit status 0, no message.
#   srv/context/key                            is what leaves it out: the path from "/", without the first slash.
#   **/key                                     both are left out.
#   with --contextdir=/srv/context             key and deploy/key are as expected.
# The same where the directory is named (deploy, /srv/context/deploy) and not ".".
#
# Where it matters: with an --exclude that was tried with `**/`, or in a Containerfile, the key is in the image.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='buildah=1.39.3+ds1-1+b7,crun=1.21-1,netavark,base-files,dash,coreutils,findutils' trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,mnt,etc/containers,srv/context/deploy}
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"
echo 'root:x:0:0::/root:/bin/sh' >"$tree/etc/passwd"
echo 'root:x:0:' >"$tree/etc/group"
touch "$tree"/srv/context/{file,key} "$tree"/srv/context/deploy/{file,key}

cat >"$tree/show" <<'EOP'
set -eu
export STORAGE_DRIVER=vfs HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin BUILDAH_ISOLATION=chroot
cd /srv/context
# keys MOUNTED: the keys that have been copied to /x
keys() { (cd "$1" && find x -name key | sort | tr '\n' ' '); }
# copied PATTERN OPTION...: of . with this --exclude
copied() {
    pattern=$1; shift
    container=$(buildah from scratch)
    status=0; buildah copy --quiet "$@" --exclude="$pattern" "$container" . /x >/said 2>&1 || status=$?
    echo "$* $pattern: exit $status, $(keys "$(buildah mount "$container")")"
    buildah rm "$container" >/said
}
for pattern in key deploy/key ./key /srv/context/key srv/context/key '**/key'; do copied "$pattern"; done
for pattern in key deploy/key; do copied "$pattern" --contextdir=/srv/context; done
for pattern in key deploy/key; do
    printf 'FROM scratch\nCOPY --exclude=%s . /x\n' "$pattern" | buildah build --quiet --tag it -f - . >/said
    echo "Containerfile $pattern: $(keys "$(buildah mount "$(buildah from --pull-never it)")")"
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
 key: exit 0, x/deploy/key x/key 
 deploy/key: exit 0, x/deploy/key x/key 
 ./key: exit 0, x/deploy/key x/key 
 /srv/context/key: exit 0, x/deploy/key x/key 
 srv/context/key: exit 0, x/deploy/key 
 **/key: exit 0, 
--contextdir=/srv/context key: exit 0, x/deploy/key 
--contextdir=/srv/context deploy/key: exit 0, x/key 
Containerfile key: x/deploy/key 
Containerfile deploy/key: x/key 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
