#!/bin/bash
# skopeo: an image to Docker's format and back has no health check, no SHELL and no ONBUILD, and another id
#
# Versions: skopeo 1.18.0+ds1-1+b5 (Debian 13).
#
# Expected: the two formats differ in their media types; a copy of OCI as OCI keeps the image's configuration to the byte, with
# what the specification has no name for, as the id is its digest.
#
# Seen, of a configuration with Healthcheck, Shell, OnBuild, a variant, and a field that nobody knows:
#   oci: to oci:                 the same bytes, and the same id, with another compression too.
#   oci: to dir: --format v2s2   the same bytes again.  Annotations of the manifest are gone, which Docker's has none of.
#   back, --format oci           Healthcheck, Shell, OnBuild and the unknown field are gone; variant and os.version are kept.
#                                So the image has another id.
#   skopeo inspect --config      of the first image has none of the four: the answer is as after the way back; with --raw they
#                                are there.
#
# Where it matters: a mirror between two registries of which one takes Docker's format only.  The container is never found
# "healthy" after it, and what is built from it lacks its ONBUILD; a lock file with image ids has no such image.
# `skopeo inspect --config` can't be used to see what there is.
#
# Needs: root, mmdebstrap, python3, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract --include='skopeo=1.18.0+ds1-1+b5,base-files,dash,coreutils' trixie "$tree"
mkdir -p "$tree"/{dev,proc,tmp,var/tmp,source/blobs/sha256}

cat >"$tmp/make.py" <<'EOP'
import hashlib
import io
import json
import pathlib
import sys
import tarfile

layout = pathlib.Path(sys.argv[1])
OCI = "application/vnd.oci.image."

def blob(kind, content):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": OCI + kind, "digest": f"sha256:{digest}", "size": len(data)}

output = io.BytesIO()
with tarfile.open(fileobj=output, mode="w") as archive:
    archive.addfile(tarfile.TarInfo("file"))
layer = blob("layer.v1.tar", output.getvalue())
config = blob("config.v1+json", {
    "architecture": "arm", "variant": "v7", "os": "linux", "os.version": "1", "org.example": "unknown",
    "config": {"Labels": {"a": "1"}, "Healthcheck": {"Test": ["CMD", "true"]}, "Shell": ["/bin/ash", "-c"], "OnBuild": ["RUN true"]},
    "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
})
kind = "manifest.v1+json"
manifest = blob(kind, {"schemaVersion": 2, "mediaType": OCI + kind, "config": config, "layers": [layer],
                       "annotations": {"a": "1"}})
(layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
(layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
EOP
cat >"$tmp/show.py" <<'EOP'
import json
import subprocess
import sys

def skopeo(*words):
    command = ["chroot", sys.argv[1], "skopeo", "--insecure-policy", "--override-arch=arm", "--override-variant=v7", *words]
    return subprocess.run(command, capture_output=True, check=True).stdout

def keys(config):
    names = [f"config.{name}" for name in ("Labels", "Healthcheck", "Shell", "OnBuild") if name in config["config"]]
    return " ".join(names + [name for name in ("variant", "os.version", "org.example") if name in config])

first = None
def show(title, image):
    global first
    manifest = json.loads(skopeo("inspect", "--raw", image))
    first = first or manifest["config"]["digest"]
    same = "same id" if manifest["config"]["digest"] == first else "another id"
    annotations = "annotations" if "annotations" in manifest else "no annotations"
    print(f"{title}: {same}, {annotations}, {keys(json.loads(skopeo('inspect', '--config', '--raw', image)))}")

show("as made", "oci:/source")
skopeo("copy", "--dest-compress-format=zstd", "oci:/source", "oci:/copy")
show("oci to oci", "oci:/copy")
skopeo("copy", "--format=v2s2", "oci:/source", "dir:/docker")
show("oci to docker", "dir:/docker")
skopeo("copy", "--format=oci", "dir:/docker", "oci:/back")
show("and back", "oci:/back")
print("as made, inspect --config:", keys(json.loads(skopeo("inspect", "--config", "oci:/source"))))
EOP
python3 "$tmp/make.py" "$tree/source"
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --pid --fork --kill-child sh -c '
    mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && TMPDIR=/tmp python3 "$2/show.py" "$1"' - "$tree" "$tmp" |
    tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
as made: same id, annotations, config.Labels config.Healthcheck config.Shell config.OnBuild variant os.version org.example
oci to oci: same id, annotations, config.Labels config.Healthcheck config.Shell config.OnBuild variant os.version org.example
oci to docker: same id, no annotations, config.Labels config.Healthcheck config.Shell config.OnBuild variant os.version org.example
and back: another id, no annotations, config.Labels variant os.version
as made, inspect --config: config.Labels variant os.version
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
