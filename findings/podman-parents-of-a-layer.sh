#!/bin/bash
# podman: a layer with tmp/file and no entry for tmp makes /tmp 755 with the driver overlay, and leaves it with vfs
#
# Versions: podman 5.4.2+ds1-2+b2, umoci 0.4.7+ds-4+b10, tar 1.35+dfsg-3.1 (Debian 13).
#
# Expected: a layer has what is added, changed or removed.  A directory that it doesn't name and the layer below has, is not
# changed; so tar does, which unpacks one layer over the other.
#
# Seen, of an image whose first layer has tmp (1777) and data (700, of user 1000), and whose second has tmp/a and data/b and
# nothing else:
#   tar, umoci unpack, podman --storage-driver vfs     tmp 1777, data 700 of 1000.
#   podman --storage-driver overlay, the default       tmp 755, data 755 of 0: the second layer is unpacked into an empty
#                                                      directory, parents are made there, and hide the first one's.
# The same image is another tree on two machines.  No message.
#
# Where it matters: layers that are no diff of a container's are made so by tools that put files into an archive (Bazel, ko,
# jib, `tar -c tmp/a`).  Programs of other users can't write to /tmp, and what was private is readable.  Name the parents,
# with the modes of the base.
# What is known: issue 1288 of containers/storage, closed, of directories that no layer has.
#
# Needs: root, mmdebstrap, unshare, a kernel with overlayfs, and a temporary folder that can be an upper layer.
set -eu

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

packages='podman=5.4.2+ds1-2+b2,umoci=0.4.7+ds-4+b10,tar=1.35+dfsg-3.1,busybox-static'
mmdebstrap --quiet --variant=extract --include="$packages,python3,base-files,dash,coreutils,sed,mount" trixie "$tree"
mkdir -p "$tree"/{dev,proc,run,sys,tmp,var/tmp,etc/containers}
echo '{"default":[{"type":"insecureAcceptAnything"}]}' >"$tree/etc/containers/policy.json"
printf 'root:x:0:0::/:/bin/sh\n' >"$tree/etc/passwd"
printf 'root:x:0:\n' >"$tree/etc/group"

cat >"$tree/layout.py" <<'EOP'
import hashlib
import json
import pathlib

layout = pathlib.Path("layout")
(layout / "blobs/sha256").mkdir(parents=True)
OCI = "application/vnd.oci.image."

def blob(kind, content):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"mediaType": OCI + kind, "digest": f"sha256:{digest}", "size": len(data)}

layers = [blob("layer.v1.tar", pathlib.Path(name).read_bytes()) for name in ("first.tar", "second.tar")]
rootfs = {"type": "layers", "diff_ids": [layer["digest"] for layer in layers]}
config = blob("config.v1+json", {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs})
kind = "manifest.v1+json"
manifest = blob(kind, {"schemaVersion": 2, "mediaType": OCI + kind, "config": config, "layers": layers})
manifest["annotations"] = {"org.opencontainers.image.ref.name": "it"}
(layout / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [manifest]}))
(layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
EOP
cat >"$tree/show" <<'EOP'
set -eu
mkdir /work; cd /work
mkdir -p first/tmp first/data second/tmp second/data tar
chmod 1777 first/tmp; chmod 700 first/data; chown 1000:1000 first/data
echo a >second/tmp/a; echo b >second/data/b
tar -C first -cf first.tar tmp data
tar -C second -cf second.tar tmp/a data/b
python3 /layout.py
modes() { cd "$2"; echo "$1: $(stat -c '%n %a of %u' tmp data | tr '\n' ' ')$(cat tmp/a data/b | tr '\n' ' ')"; cd /work; }
for name in first second; do tar -C tar -xpf $name.tar; done
modes tar tar
umoci unpack --image layout:it bundle >/dev/null
modes umoci bundle/rootfs
for driver in vfs overlay; do
    engine() { podman --root /work/$driver --runroot /run/$driver --storage-driver $driver "$@"; }
    engine load --quiet --input layout >/dev/null
    image=$(engine images --quiet)
    modes "podman, $driver" "$(engine image mount "$image")"
    engine image umount "$image" >/dev/null
done
EOP
# shellcheck disable=SC2016 # for the inner shell
unshare --mount --net --pid --fork --kill-child sh -c '
    mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mount --rbind /dev dev && mount -t tmpfs tmpfs run &&
    mount -t sysfs sysfs sys && mount -t cgroup2 cgroup2 sys/fs/cgroup && exec chroot . sh /show' - "$tree" | tee "$tmp/out"

cat >"$tmp/expected" <<'EOP'
tar: tmp 1777 of 0 data 700 of 1000 a b 
umoci: tmp 1777 of 0 data 700 of 1000 a b 
podman, vfs: tmp 1777 of 0 data 700 of 1000 a b 
podman, overlay: tmp 755 of 0 data 755 of 0 a b 
EOP
if ! diff "$tmp/expected" "$tmp/out"; then
    echo "CHANGED: see the lines above"
    exit 1
fi
echo "as described"
