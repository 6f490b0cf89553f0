#!/bin/bash
# umoci gc deletes the layers of images that are in a layout with Docker's media types
#
# Versions: umoci 0.4.7+ds-4+b10 (Debian 13).
#
# Expected: umoci-gc(1): it removes the blobs that can't be reached from any reference.  The image layout specification lets
# index.json have descriptors of any media type; whoever does not know one leaves alone what it may refer to.
#
# Seen, of two images with one layer each in a layout, that differ in the media types of their manifests only:
#   application/vnd.oci.image.manifest.v1+json: manifest, configuration and layer stay.
#   application/vnd.docker.distribution.manifest.v2+json, and an image behind Docker's list of manifests: exit 0, the
#       first blob stays, which index.json names; the others are gone, and the name is still there.
# "umoci list" has all of them, before and after.
#
# Where it matters: an image that is exported as it is (by containerd) keeps its types in the layout, and those of many
# are Docker's.  A folder may have both.  One gc, for the one image that umoci has changed, ends the others.
#
# Needs: root, mmdebstrap, python3.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='umoci=0.4.7+ds-4+b10,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{layout/blobs/sha256,proc,tmp}

python3 - "$tree/layout" <<'EOF'
import hashlib
import io
import json
import pathlib
import sys
import tarfile

layout = pathlib.Path(sys.argv[1])
DOCKER, OCI = "application/vnd.docker.", "application/vnd.oci.image."

def blob(kind, content):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(data)}

def image(name, manifest, config, layer):
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        member = tarfile.TarInfo(name)
        archive.addfile(member)
    entry = blob(layer, output.getvalue())
    text = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [entry["digest"]]}}
    descriptor = blob(manifest, {"schemaVersion": 2, "mediaType": manifest, "config": blob(config, text), "layers": [entry]})
    return {**descriptor, "platform": {"architecture": "amd64", "os": "linux"}}

docker = DOCKER + "distribution.manifest.v2+json", DOCKER + "container.image.v1+json", DOCKER + "image.rootfs.diff.tar"
several = DOCKER + "distribution.manifest.list.v2+json"
entries = {
    "oci": image("oci", OCI + "manifest.v1+json", OCI + "config.v1+json", OCI + "layer.v1.tar"),
    "docker": image("docker", *docker),
    "list": blob(several, {"schemaVersion": 2, "mediaType": several, "manifests": [image("list", *docker)]}),
}
for name, entry in entries.items():
    entry["annotations"] = {"org.opencontainers.image.ref.name": name}
(layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(entries.values())}))
(layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
EOF

# How many of the blobs of each image are there
cat >"$tmp/count.py" <<'EOF'
import json
import pathlib
import sys

layout, before = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])

def below(descriptor):
    yield descriptor
    content = json.loads((before / descriptor["digest"][7:]).read_bytes())
    for entry in content.get("manifests", []):
        yield from below(entry)
    if "config" in content:
        yield from (content["config"], *content["layers"])

for entry in json.loads((layout / "index.json").read_bytes())["manifests"]:
    blobs = [blob["digest"][7:] for blob in below(entry)]
    kept = sum((layout / "blobs/sha256" / digest).exists() for digest in blobs)
    print(f"{entry['annotations']['org.opencontainers.image.ref.name']}: {kept} of {len(blobs)} blobs")
EOF
cp -r "$tree/layout/blobs/sha256" "$tmp/before"
{
    status=0
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --pid --fork --kill-child sh -c '
        mount -t proc proc "$1/proc" && exec chroot "$1" umoci gc --layout /layout' - "$tree" >"$tmp/said" 2>&1 || status=$?
    echo "umoci gc: exit $status"
    python3 "$tmp/count.py" "$tree/layout" "$tmp/before"
    echo "names: $(chroot "$tree" umoci list --layout /layout | sort | tr '\n' ' ')"
} | tee "$tmp/out"

for line in "umoci gc: exit 0" "oci: 3 of 3 blobs" "docker: 1 of 3 blobs" "list: 1 of 4 blobs" "names: docker list oci "; do
    if ! grep -qxF "$line" "$tmp/out"; then
        echo "CHANGED: no longer: $line"
        exit 1
    fi
done
echo "as described"
