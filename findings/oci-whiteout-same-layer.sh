#!/bin/bash
# One OCI image, three trees: a whiteout and its replacement in the same layer
#
# Versions: podman 5.4.2+ds1-2+b2 (storage drivers overlay and vfs), umoci 0.4.7+ds-4+b10 (Debian 13).
#
# Expected: a whiteout hides what lower layers have, never what its own layer has, says the image specification; so the
# order of the two in the layer's archive can't matter, and an image has one tree, whoever unpacks it.
#
# Seen, of an image whose first layer has dir/old:
#   A  The second layer has a whiteout of "dir", then the directory "dir" anew, with dir/new.
#      umoci and podman with vfs: dir/new.
#      podman with overlay: dir/new *and dir/old*, which was deleted.  The new directory takes the place of the whiteout
#      and is merged with the old one.
#   B  The second layer has the file dir/old anew, then a whiteout of "dir/old".
#      umoci: the new file.  podman with vfs: no file, exit 0.  podman with overlay: exit 125, "file exists".
# An opaque whiteout (.wh..wh..opq) within "dir" gives one and the same tree everywhere, also as the last of the layer.
#
# Where it matters: whoever writes layers should replace a directory by an opaque whiteout; whoever reads them can't
# take what podman shows for the contents of an image without asking for the storage driver.
#
# Needs: root, mmdebstrap, unshare, python3.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='podman=5.4.2+ds1-2+b2,umoci=0.4.7+ds-4+b10,base-files,dash,coreutils,findutils,grep,mount' trixie "$tree"
mkdir -p "$tree/proc" "$tree"/{dev,sys,run,var/tmp,images,etc/containers}
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"

python3 - "$tree/images" <<'EOF'
import hashlib
import io
import json
import pathlib
import sys
import tarfile

def layer(*members):
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, text in members:
            member = tarfile.TarInfo(name)
            if text is None:
                member.type, member.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(member)
            else:
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text))
    return output.getvalue()

def image(directory, *layers):
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(kind, data):
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": f"application/vnd.oci.image.{kind}", "digest": f"sha256:{digest}", "size": len(data)}

    entries = [blob("layer.v1.tar", data) for data in layers]
    config = {"architecture": "amd64", "os": "linux", "config": {}, "history": [{} for _ in layers],
              "rootfs": {"type": "layers", "diff_ids": [entry["digest"] for entry in entries]}}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "layers": entries,
                "config": blob("config.v1+json", json.dumps(config).encode())}
    entry = blob("manifest.v1+json", json.dumps(manifest).encode())
    entry["annotations"] = {"org.opencontainers.image.ref.name": "it"}
    (directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

images = pathlib.Path(sys.argv[1])
first = layer(("dir", None), ("dir/old", b"first\n"))
image(images / "A", first, layer((".wh.dir", b""), ("dir", None), ("dir/new", b"second\n")))
image(images / "B", first, layer(("dir", None), ("dir/old", b"second\n"), ("dir/.wh.old", b"")))
image(images / "opaque", first, layer(("dir", None), ("dir/new", b"second\n"), ("dir/.wh..wh..opq", b"")))
EOF

cat >"$tree/show" <<'EOF'
set -eu
state() { (cd "$1/dir" && for file in $(find . -type f | sort); do printf '%s=%s ' "$file" "$(cat "$file")"; done); }
mkdir /unpacked
for image in A B opaque; do
    umoci unpack --image /images/$image:it /unpacked/$image
    echo "$image umoci: $(state /unpacked/$image/rootfs)"
    for driver in vfs overlay; do
        storage="podman --root /storage/$image/$driver --runroot /run/$image/$driver --storage-driver $driver"
        status=0
        id=$($storage pull --quiet oci:/images/$image:it 2>/error) || status=$?
        if [ $status = 0 ]; then
            echo "$image $driver: $(state "$($storage image mount "$id")")"
        else
            echo "$image $driver: exit $status, $(grep -o 'file exists' /error | head -n 1)"
        fi
    done
done
EOF

# All mounts end with the namespace.
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev &&
    mount -t tmpfs tmpfs run && mkdir storage && mount -t tmpfs tmpfs storage &&
    mount -t tmpfs tmpfs sys && mkdir -p sys/fs/cgroup && mount -t cgroup2 cgroup2 sys/fs/cgroup &&
    chroot . sh /show' - "$tree" | tee "$tmp/out"

for line in "A umoci: ./new=second " "A vfs: ./new=second " "A overlay: ./new=second ./old=first " \
    "B umoci: ./old=second " "B vfs: " "B overlay: exit 125, file exists" \
    "opaque umoci: ./new=second " "opaque vfs: ./new=second " "opaque overlay: ./new=second "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
