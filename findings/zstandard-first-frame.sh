#!/bin/bash
# python-zstandard: of a zstd:chunked layer, decompress() and decompressobj() give the first 512 bytes, and no error
#
# Versions: zstandard 0.25.0 (PyPI), skopeo 1.18.0+ds1-1+b5, zstd 1.5.7+dfsg-1 (Debian 13).
#
# Expected: RFC 8878 has it that frames that follow one another decompress to their contents, one after the other, as the
# zstd program does; and a layer of media type …tar+zstd is such a file.  The ways of one library agree on what is in it.
#
# Seen, of one layer, which skopeo has written as plain zstd (one frame), and as zstd:chunked (a frame for each file, and
# frames to skip): the first is read alike by all.  Of the second,
#   decompress(), decompressobj(), read_to_iter()       end with the first frame, the header of the first entry.
#   stream_reader().read(), copy_stream(), open()       have all, though stream_reader() has read_across_frames=False too.
# decompress(read_across_frames=True) is taken as an argument, and refused as not implemented.  Nothing is raised by the others;
# tarfile then says "unexpected end of data", or has an archive without members.
#
# Where it matters: who reads images in Python.  It works with each image until one is pushed by podman or buildah with
# zstd:chunked, Fedora's default, whose media type is the same.
# What is known: python-zstandard's issue 196, and its manual for each function.
#
# Needs: root, mmdebstrap, python3 with pip, PyPI, unshare.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

mmdebstrap --quiet --variant=extract \
    --include='skopeo=1.18.0+ds1-1+b5,zstd=1.5.7+dfsg-1,base-files,dash,coreutils,tar,findutils' trixie "$tree"
mkdir -p "$tree"/{dev,proc,tmp,var/tmp,source/blobs/sha256}
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: 'zstandard==0.25.0'

python3 - "$tree/source" <<'EOP'
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
    for name in ("first", "second", "third"):
        member = tarfile.TarInfo(name)
        member.size = 100_000
        archive.addfile(member, io.BytesIO(name.encode().ljust(member.size)))
layer = blob("layer.v1.tar", output.getvalue())
rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
config = blob("config.v1+json", {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
kind = "manifest.v1+json"
manifest = blob(kind, {"schemaVersion": 2, "mediaType": OCI + kind, "config": config, "layers": [layer]})
(layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
(layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
EOP
cat >"$tmp/show.py" <<'EOP'
import io
import json
import pathlib
import subprocess
import sys
import tarfile

import zstandard

tree = pathlib.Path(sys.argv[1])

def layer(layout):
    def blob(descriptor):
        return (layout / "blobs/sha256" / descriptor["digest"][7:]).read_bytes()
    manifest = json.loads(blob(json.loads((layout / "index.json").read_bytes())["manifests"][0]))
    return manifest["layers"][0]["mediaType"], blob(manifest["layers"][0])

def copied(data):
    output = io.BytesIO()
    zstandard.ZstdDecompressor().copy_stream(io.BytesIO(data), output)
    return output.getvalue()

def unpacked(data):
    command = ["chroot", str(tree), "zstd", "-dc"]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout

WAYS = {
    "zstd -dc": unpacked,
    "decompress()": lambda data: zstandard.ZstdDecompressor().decompress(data, max_output_size=10**7),
    "decompressobj()": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
    "read_to_iter()": lambda data: b"".join(zstandard.ZstdDecompressor().read_to_iter(data)),
    "stream_reader()": lambda data: zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data)).read(),
    "copy_stream()": copied,
    "open()": lambda data: zstandard.open(io.BytesIO(data)).read(),
    "decompress(read_across_frames=True)": lambda data: zstandard.ZstdDecompressor().decompress(
        data, max_output_size=10**7, read_across_frames=True),
}
for name in ("zstd", "chunked"):
    kind, data = layer(tree / name)
    print(f"{name}: {kind}")
    for title, way in WAYS.items():
        try:
            content = way(data)
            print(f"  {title}: {len(content)} bytes")
        except zstandard.ZstdError as error:
            print(f"  {title}: {error}")
EOP
for format in zstd zstd:chunked; do
    # shellcheck disable=SC2016 # for the inner shell
    unshare --mount --pid --fork --kill-child sh -c '
        mount --rbind /dev "$1/dev" && mount -t proc proc "$1/proc" && exec chroot "$1" skopeo --insecure-policy copy --quiet \
            --dest-compress-format "$2" oci:/source "oci:/$3"' - "$tree" "$format" "${format#*:}"
done
"$tmp/venv/bin/python" "$tmp/show.py" "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
zstd: application/vnd.oci.image.layer.v1.tar+zstd
  zstd -dc: 307200 bytes
  decompress(): 307200 bytes
  decompressobj(): 307200 bytes
  read_to_iter(): 307200 bytes
  stream_reader(): 307200 bytes
  copy_stream(): 307200 bytes
  open(): 307200 bytes
  decompress(read_across_frames=True): ZstdDecompressor.read_across_frames=True is not yet implemented
chunked: application/vnd.oci.image.layer.v1.tar+zstd
  zstd -dc: 307200 bytes
  decompress(): 512 bytes
  decompressobj(): 512 bytes
  read_to_iter(): 512 bytes
  stream_reader(): 307200 bytes
  copy_stream(): 307200 bytes
  open(): 307200 bytes
  decompress(read_across_frames=True): ZstdDecompressor.read_across_frames=True is not yet implemented
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
