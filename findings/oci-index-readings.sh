#!/bin/bash
# index.json of an OCI image: skopeo, umoci and podman load give other images, or none, of the same valid layout
#
# Versions: skopeo 1.18.0+ds1-1+b5, umoci 0.4.7+ds-4+b10, podman 5.4.2+ds1-2+b2 (Debian 13).
#
# Expected: a name stands for an image of this machine's architecture, however the layout says which that is (an index
# with `platform`, an index in an index, the architecture in the image's own configuration); what podman pull takes from
# a directory, podman load takes from an archive of it.
#
# Seen, on a machine of architecture A, of a name in index.json that stands for
#   (nested) an index, in it an index, in it an image of A: umoci has the image; skopeo and podman refuse: they find an
#       index where they want an image.  The image specification lets indexes be nested.
#   (foreign) an index with an image of another architecture alone: umoci unpacks it; the others refuse.
#   (artifact) an index with an artifact that has no platform, and an image of A: umoci says that the name is ambiguous;
#       the others have the image.
#   (twice) two images, both with the name and a platform in index.json itself, the other architecture first: skopeo and
#       podman pull take the first, and don't look at the platform; umoci and podman load refuse.
#   (bare) an index of two images without platform (it is optional), the other architecture's first: skopeo and podman
#       take the first, though its configuration names the other architecture; umoci says ambiguous.
# None of the five is read alike by all, and podman load and podman pull differ in one.
#
# Where it matters: an image that works with one tool is none, or one that can't run, with the next.  Whoever writes a
# layout should give each image its platform, in one index, and the name to that.
#
# Needs: root, mmdebstrap, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='skopeo=1.18.0+ds1-1+b5,umoci=0.4.7+ds-4+b10,podman=5.4.2+ds1-2+b2,base-files,dash,coreutils,grep,tar,mount'
mmdebstrap --quiet --variant=extract --include="$packages" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,storage,var/tmp,etc/containers}
echo 'root:x:0:0::/:/bin/sh' >"$tree/etc/passwd"
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"

cat >"$tree/show" <<EOP
native=$(dpkg --print-architecture)
EOP
cat >>"$tree/show" <<'EOP'
other=riscv64
type=application/vnd.oci.image
# blob TYPE [MORE]: puts the standard input into the layout, and says its descriptor, with what is to be in it besides
blob() {
    cat >/blob
    digest=$(sha256sum </blob | cut -d' ' -f1)
    cp /blob "/$layout/blobs/sha256/$digest"
    echo "{\"mediaType\": \"$1\", \"digest\": \"sha256:$digest\", \"size\": $(stat -c %s /blob)$2}"
}
# image ARCHITECTURE [MORE]: an image that has one file, with its architecture in it
image() {
    mkdir -p /content
    echo "$1" >/content/file
    layer=$(tar -C /content -c --mtime=@0 file | blob $type.layer.v1.tar)
    config=$(echo "{\"architecture\": \"$1\", \"os\": \"linux\",
        \"rootfs\": {\"type\": \"layers\", \"diff_ids\": [$(echo "$layer" | grep -o '"sha256:[^"]*"')]}}" |
        blob $type.config.v1+json)
    echo "{\"schemaVersion\": 2, \"mediaType\": \"$type.manifest.v1+json\", \"config\": $config, \"layers\": [$layer]}" |
        blob $type.manifest.v1+json "$2"
}
artifact() {
    empty=$(printf '{}' | blob application/vnd.oci.empty.v1+json)
    echo "{\"schemaVersion\": 2, \"mediaType\": \"$type.manifest.v1+json\", \"artifactType\": \"application/x-text\",
        \"config\": $empty, \"layers\": [$empty]}" | blob $type.manifest.v1+json ', "artifactType": "application/x-text"'
}
# index DESCRIPTORS [MORE]
index() {
    echo "{\"schemaVersion\": 2, \"mediaType\": \"$type.index.v1+json\", \"manifests\": [$1]}" |
        blob $type.index.v1+json "$2"
}
platform() { echo ", \"platform\": {\"architecture\": \"$1\", \"os\": \"linux\"}"; }
name=', "annotations": {"org.opencontainers.image.ref.name": "it"}'
begin() {
    layout=$1
    mkdir -p "/$layout/blobs/sha256"
    echo '{"imageLayoutVersion": "1.0.0"}' >"/$layout/oci-layout"
}
end() { echo "{\"schemaVersion\": 2, \"manifests\": [$1]}" >"/$layout/index.json"; }

podman() { command podman --root /storage --runroot /run/storage --storage-driver vfs "$@"; }
# which FILE: whose image it is
which() {
    case $(cat "$1" 2>/dev/null) in
    "$native") echo native ;;
    "$other") echo other ;;
    *) echo refused ;;
    esac
}
of_podman() {
    which "$(podman image mount "$(podman images --quiet --no-trunc | head -n 1)" 2>/dev/null)/file"
    podman image umount --all >/dev/null 2>&1
    podman rmi --all --force >/dev/null 2>&1
}
read_by_all() {
    skopeo copy "oci:/$layout:it" "dir:/$layout.copy" >/dev/null 2>&1
    for file in /"$layout".copy/*; do
        tar -xOf "$file" file >/"$layout".skopeo 2>/dev/null && break
    done
    umoci unpack --image "/$layout:it" "/$layout.bundle" >/dev/null 2>&1
    tar -C "/$layout" -cf "/$layout.tar" .
    podman load --input "/$layout.tar" >/dev/null 2>&1
    load=$(of_podman)
    podman pull --quiet "oci:/$layout:it" >/dev/null 2>&1
    pull=$(of_podman)
    echo "$layout: skopeo $(which "/$layout.skopeo"), umoci $(which "/$layout.bundle/rootfs/file")," \
        "podman load $load, pull $pull"
}

begin nested
end "$(index "$(index "$(image $native "$(platform $native)")")" "$name")"
read_by_all
begin foreign
end "$(index "$(image $other "$(platform $other)")" "$name")"
read_by_all
begin artifact
end "$(index "$(artifact), $(image $native "$(platform $native)")" "$name")"
read_by_all
begin twice
end "$(image $other "$name$(platform $other)"), $(image $native "$name$(platform $native)")"
read_by_all
begin bare
end "$(index "$(image $other), $(image $native)" "$name")"
read_by_all
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    exec chroot . sh /show' - "$tree" </dev/null | tee "$tmp/out"

for line in "nested: skopeo refused, umoci native, podman load refused, pull refused" \
    "foreign: skopeo refused, umoci other, podman load refused, pull refused" \
    "artifact: skopeo native, umoci refused, podman load native, pull native" \
    "twice: skopeo other, umoci refused, podman load refused, pull other" \
    "bare: skopeo other, umoci refused, podman load other, pull other"; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
