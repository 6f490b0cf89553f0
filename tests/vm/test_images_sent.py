"""Images on their way out, as others read them: archives, layouts, registries, and pipes."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import oci
import oci_cases
import pytest
from registry import registry
from test_images import STORE, image_id, images, lowers, merged_listing
from written_images import base, checked, read_layout, without_times, writer

ANYWHERE = pytest.mark.anywhere("what nsunit reads of overlayfs, and writes into its store and archives")

__all__ = ["base", "images", "writer"]  # fixtures
pytestmark = pytest.mark.usefixtures("real_system")
NODES, LONG = "nodes, times, owners, modes and attributes", "sparse, empty and long"


@ANYWHERE
@pytest.mark.parametrize("case", oci_cases.CASES)
def test_what_is_exported_means_the_same(images, run, case):
    layers = oci_cases.CASES[case]
    name, place = images.image(layers), images.place / uuid.uuid4().hex[:8]
    run("nsunit", "image", "export", name, f"oci:{place}:x")
    wanted = oci.expected(oci.merged(layers))
    assert oci.differences(wanted, oci.expected(oci.merged(read_layout(place, "x")[0]))) == []
    if not any(".wh." in info.name for layer in layers for info, _ in layer):
        return  # to be cheap
    sent = images.name()
    run("nsunit", "image", "import", f"oci:{place}:x", "--name", sent)
    again = checked("image export", run("nsunit", "image", "export", sent, f"oci:{place}:y", "--json"))
    assert (again["id"], again["same"]) == (image_id(sent), again["layers"])  # packed here, so it keeps its digests
    assert oci.differences(wanted, merged_listing(sent, images.place / "merged")) == []


@ANYWHERE
def test_a_merged_root_is_one_tar(images, base, run):
    """`tar:` is what podman export gives, one archive of all layers, with attributes, holes and links as they are."""
    nodes, long = (images.image(oci_cases.CASES[name]) for name in (NODES, LONG))
    for name, more in ((nodes, ()), (long, ("--compression=gzip",)), (long, ("--compression=zstd",)), (base, ())):
        target = images.place / f"{uuid.uuid4().hex[:8]}.tar"
        done = checked("image export", run("nsunit", "image", "export", name, f"tar:{target}", *more, "--json"))
        assert (done["id"], done["to"]) == (image_id(name), f"tar:{target}")
        again = images.name()
        run("nsunit", "image", "import", f"tar:{target}", "--name", again)
        assert len(lowers(again)) == 1
        wanted = merged_listing(name, images.place / "merged")
        assert oci.differences(wanted, merged_listing(again, images.place / "merged")) == []
    refused = run("nsunit", "image", "export", base, f"tar:{target}", check=False)
    assert f"'{target}' is there already" in refused.stderr
    listed = subprocess.run(["tar", "-tf", target], capture_output=True, text=True, check=True).stdout.splitlines()
    assert "etc/second" in listed and not [path for path in listed if ".wh." in path]


@ANYWHERE
def test_all_transports_have_the_same_image_and_the_same_bytes(writer, images, base, run):
    name, place = images.name(), images.place / uuid.uuid4().hex[:8]
    place.mkdir()
    run("nsunit", "commit", writer.name, name)
    wanted = merged_listing(name, place)
    tag = name.rpartition("/")[2].partition(":")[0]
    ids = set()
    for transport in (f"oci:{place}/layout:a", f"oci-archive:{place}/a.oci:x", f"dir:{place}/dir"):
        sent = checked("image export", run("nsunit", "image", "export", name, transport, "--json"))
        ids.add(sent["id"])
        shown = json.loads(run("skopeo", "inspect", "--config", transport).stdout)
        assert shown["config"] == json.loads((STORE / "config" / image_id(name)).read_text())["config"]
    docker = f"docker-archive:{place}/a.docker"
    ids.add(checked("image export", run("nsunit", "image", "export", name, docker, "--json"))["id"])
    assert len(ids) == 1
    for source in (docker, f"oci-archive:{place}/a.oci", f"dir:{place}/dir"):
        other = images.name()
        run("nsunit", "image", "import", source, "--name", other)
        assert image_id(other) in ids
        assert oci.differences(wanted, merged_listing(other, place)) == []
    run("nsunit", "image", "export", name, f"docker-archive:{place}/b.docker")
    assert (place / "a.docker").read_bytes() == (place / "b.docker").read_bytes()
    # A layout keeps what else is in it.
    run("nsunit", "image", "export", base, f"oci:{place}/layout:b")
    run("nsunit", "image", "export", name, f"oci:{place}/layout:b")
    index = json.loads((place / "layout/index.json").read_text())
    assert [list(item["annotations"].values()) for item in index["manifests"]] == [["a"], ["b"]]
    assert len({item["digest"] for item in index["manifests"]}) == 1
    # Compressed otherwise.
    for kind, first in (("zstd", b"\x28\xb5\x2f\xfd"), ("none", b"./")):
        other = images.name()
        run("nsunit", "image", "export", name, f"oci:{place}/{kind}:a", "--compression", kind)
        blobs = [path.read_bytes() for path in (place / kind / "blobs/sha256").iterdir()]
        assert sum(blob.startswith(first) for blob in blobs) == 3
        run("nsunit", "image", "import", f"oci:{place}/{kind}:a", "--name", other)
        assert image_id(other) in ids
    run("skopeo", "copy", f"oci:{place}/zstd:a", f"dir:{place}/copied")
    # Readers of others.
    run("umoci", "unpack", "--image", f"{place}/layout:a", f"{place}/umoci")
    assert oci.differences(wanted, oci.listing(place / "umoci/rootfs")) == []
    podman = ("podman", "--root", f"{place}/podman", "--runroot", f"{place}/run", "--storage-driver", "vfs")
    assert f"localhost/{tag}:latest" in run(f"nsunit image export {name} - | {' '.join(podman)} load").stdout
    mounted = run(*podman, "image", "mount", f"localhost/{tag}:latest").stdout.strip()
    assert oci.differences(without_times(wanted), oci.listing(Path(mounted))) == []  # it makes that itself
    run(*podman, "image", "umount", "--all")
    # By pipes, which cannot be sought.
    other = images.name()
    for target, source in (("tar:-", "tar:-"), ("oci-archive:-", "-"), ("-", "docker-archive:-")):
        run(f"nsunit image export {name} {target} | nsunit image import {source} --name {other}")
        assert oci.differences(wanted, merged_listing(other, place)) == [], target
    source = json.loads(run("nsunit", "image", "inspect", other, "--json").stdout)[0]["source"]
    assert source == "standard input"
    # Without room, and without a reader.
    run("mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", "/mnt")
    try:
        for target in ("oci:/mnt/x", "dir:/mnt/x", "docker-archive:/mnt/x", "tar:/mnt/x"):
            failed = run("nsunit", "image", "export", name, target, check=False)
            assert failed.stderr.startswith("nsunit: /mnt/x")
            assert "No space left on device" in failed.stderr
            assert os.listdir("/mnt") == []
        failed = run(f"nsunit image export {name} - > /mnt/x", check=False)
        assert failed.stderr == "nsunit: standard output: No space left on device\n"
    finally:
        run("umount", "/mnt")
    done = run("bash", "-c", f"nsunit image export {name} - | head -c 1; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout[1:], done.stderr) == ("141\n", "")


def test_terminals_have_no_images(base, run):
    for words in (f"image export {base} -", "image import -"):
        said = run(f"script -qec 'nsunit {words}' /dev/null </dev/null; true").stdout
        assert "terminal" in said and "hint: " in said


@pytest.fixture(scope="module")
def remote(images):
    """A registry that skopeo may speak to without TLS; its address."""
    (images.place / "registry").mkdir()
    with registry(images.place / "registry", 5017) as made:
        yield made.host


def test_an_image_goes_to_a_registry_and_comes_back(writer, remote, images, run):
    name = images.name()
    run("nsunit", "commit", writer.name, name)
    sent = checked("image push", run("nsunit", "image", "push", name, f"docker://{remote}/out/app:1", "--json"))
    assert sent["to"] == f"docker://{remote}/out/app:1"
    shown = json.loads(run("skopeo", "inspect", "--raw", sent["to"]).stdout)
    assert shown["config"]["digest"] == f"sha256:{sent['id']}"
    run("nsunit", "image", "pull", f"{remote}/out/app:1")
    images.names.append(f"{remote}/out/app:1")
    assert image_id(f"{remote}/out/app:1") == sent["id"]
    wanted = merged_listing(name, images.place / "merged")
    assert oci.differences(wanted, merged_listing(f"{remote}/out/app:1", images.place / "merged")) == []
    # As it is called, and to nobody.
    assert f"docker://{remote}/out/app:1" in run("nsunit", "image", "push", f"{remote}/out/app:1").stdout
    failed = run("nsunit", "image", "push", name, "127.0.0.1:1/x", check=False)
    assert failed.stderr.startswith("nsunit: '127.0.0.1:1/x:latest' cannot be sent: ")
    assert os.listdir(STORE / "staging") == []


@ANYWHERE
def test_what_buildah_has_made_comes_in_and_goes_back(images, base, run):
    place = images.place / uuid.uuid4().hex[:8]
    place.mkdir()
    run("nsunit", "image", "export", base, f"oci:{place}/in:x")
    buildah = ("buildah", "--root", f"{place}/buildah", "--runroot", f"{place}/run", "--storage-driver", "vfs")
    made = run(*buildah, "from", f"oci:{place}/in:x").stdout.strip()
    root = Path(run(*buildah, "mount", made).stdout.strip())
    (root / "srv/by-buildah").write_text("x")
    os.chown(root / "srv/by-buildah", 33, 34)
    (root / "gone").unlink()
    wanted = oci.listing(root)
    wanted = without_times(wanted, wanted.keys())  # in its archives times are whole seconds
    run(*buildah, "config", "--cmd", '["cat", "/srv/by-buildah"]', "--stop-signal", "USR1", made)
    run(*buildah, "commit", made, f"oci:{place}/out:y")
    run(*buildah, "rm", made)
    name = images.name()
    run("nsunit", "image", "import", f"oci:{place}/out:y", "--name", name)
    assert oci.differences(wanted, merged_listing(name, place)) == []
    assert run("nsunit", "run", "-p", f"Image={name}").stdout == "x"
    run("nsunit", "image", "export", name, f"oci:{place}/back:z")
    before, after = read_layout(place / "out", "y")[1], read_layout(place / "back", "z")[1]
    assert [before.get(key) for key in ("config", "history")] == [after.get(key) for key in ("config", "history")]
    assert oci.differences(wanted, oci.expected(oci.merged(read_layout(place / "back", "z")[0]))) == []
