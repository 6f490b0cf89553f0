#!/bin/bash
# umoci: of a directory that has become a symbolic link, the layer takes away files behind the link
#
# Versions: umoci 0.4.7+ds-4+b10, podman 5.4.2+ds1-2+b2 (Debian 13).
#
# Expected: umoci-repack(1) adds a layer with what has changed in the bundle, and the new image has the tree that the bundle
# has.  Where a directory has made room for a link, the link is all that there is to say: what was in the directory is gone.
#
# Seen: the layer has the link, and after it a whiteout for each name that was in the directory, as "old/.wh.NAME".  Whoever
# unpacks it has made the link by then, and looks for the whiteouts' places behind it.
#   /old and /new both have "same", and /old becomes a link to new, as when /lib is moved to /usr/lib:
#       umoci and podman with the driver vfs: /new/same is gone, which was not touched.  Nobody says a word.
#       podman with the driver overlay: the image can't be loaded, "no such file or directory".
#   If /new has no file of a name that /old had: with overlay the image can't be loaded, with vfs all is well.
#
# Where it matters: images of a distribution without merged /usr that are brought up to date, directories of data moved
# to a volume with a link left behind.  The bundle is right, and what is made of the image lacks files, or there is none.
# In a bundle, empty the directory and repack, then make the link and repack again.
# What is known: umoci's issue 254 was about the same whiteouts of a directory that is gone; its pull request 258 left those
# out.
#
# Needs: root, mmdebstrap, unshare, overlayfs.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='umoci=0.4.7+ds-4+b10,podman=5.4.2+ds1-2+b2,busybox-static,base-files,dash,coreutils,findutils,grep,sed,jq' \
    trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,work,etc/containers}
echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"

cat >"$tree/show" <<'EOP'
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /work
files() { (cd "$1" && find . -mindepth 1 | sort | tr '\n' ' '); }
blob() { echo "layout/blobs/sha256/${1#sha256:}"; }

# repack NAME: the bundle becomes the image NAME
repack() { umoci repack --refresh-bundle --image "layout:$1" bundle >/said 2>&1; }

# loaded CASE DRIVER: what podman has of the image
loaded() {
    root=/work/storage-$1-$2
    if podman --storage-driver="$2" --root "$root" pull --quiet "oci:layout:$1" >/id 2>/said; then
        echo "$1, podman with $2: $(files "$(podman --storage-driver="$2" --root "$root" image mount "$(cat /id)")")"
    else
        echo "$1, podman with $2: $(grep -o 'no such file or directory' /said)"
    fi
}

# seen CASE FILES…: /old with FILES becomes a link to /new
seen() {
    name=$1; shift
    rm -rf layout bundle
    umoci init --layout layout
    umoci new --image layout:empty
    umoci unpack --image layout:empty bundle 2>/said
    mkdir bundle/rootfs/old bundle/rootfs/new
    for file; do echo text >"bundle/rootfs/old/$file"; done
    echo text >bundle/rootfs/new/same
    repack before
    rm -r bundle/rootfs/old
    ln -s new bundle/rootfs/old
    repack "$name"
    echo "$name, bundle: $(files bundle/rootfs)"
    manifest=$(jq -r ".manifests[] | select(.annotations.\"org.opencontainers.image.ref.name\" == \"$name\").digest" layout/index.json)
    layer=$(jq -r '.layers[-1].digest' "$(blob "$manifest")")
    echo "$name, layer: $(busybox tar tzf "$(blob "$layer")" | tr '\n' ' ')"
    rm -rf again
    umoci unpack --image "layout:$name" again 2>/said
    echo "$name, umoci: $(files again/rootfs)"
    loaded "$name" vfs
    loaded "$name" overlay
}
seen both same
seen other other
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    cd "$1" && mount --bind . . && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs tmp && mount -t tmpfs tmpfs work && mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup &&
    mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
both, bundle: ./new ./new/same ./old 
both, layer: . old old/.wh.same 
both, umoci: ./new ./old 
both, podman with vfs: ./new ./old 
both, podman with overlay: no such file or directory
other, bundle: ./new ./new/same ./old 
other, layer: . old old/.wh.other 
other, umoci: ./new ./new/same ./old 
other, podman with vfs: ./new ./new/same ./old 
other, podman with overlay: no such file or directory
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
