"""The verbs of `nsunit image`."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb


def _verb(name: str, summary: str, run: str, operands: str, least: int, most: int | None) -> Verb:
    function = f"nsunit.cli.image.{run}"
    return Verb(f"image {name}", "image", summary, function, operands, least, most, before="doctor")


VERBS = (
    _verb("import", "Bring an image into the store", "bring:import_image", "[TRANSPORT:]PATH[:TAG]", 1, 1).replace(
        options=(
            Option("name", "What to call it, in place of the name it has there", value="NAME", repeat=True),
            Option("platform", "Which one of an index, in place of this machine's", value="SYSTEM/ARCHITECTURE"),
        ),
        complete="file",
        details=(
            "TRANSPORT is one of skopeo(1)'s, oci:DIR, oci-archive:FILE, docker-archive:FILE (what 'docker save' and "
            "'podman save' write) or dir:DIR, or tar:FILE for the archive of a root; without one it is guessed. TAG "
            "says which of several images. Layers may be compressed by gzip, zstd or xz, archives as well.",
            "By skopeo there are containers-storage:NAME, of podman's store, and docker://NAME, which is 'image pull'. "
            "Root file systems come in as one layer: root:DIR, machine:NAME of /var/lib/machines, and raw:FILE for a "
            "disk image that systemd-dissect(1) can mount. mstack:DIR has the layers of systemd.mstack(7), with what "
            "was written on top of them, and the config beside it.",
            "It is unpacked in a unit of its own, without network and with few privileges. What is damaged, has another"
            " digest than it should, or is more than an image may be, leaves nothing behind.",
        ),
    ),
    _verb("pull", "Fetch an image from its registry by skopeo", "bring:pull_image", "NAME[:TAG|@DIGEST]", 1, 1).replace(
        options=(Option("platform", "Which one of an index, in place of this machine's", value="SYSTEM/ARCHITECTURE"),),
        details=(
            "skopeo(1), which has to be installed, does so in a unit of its own, with the caller's credentials, "
            "registries.conf and policy on signatures. Layers that are in the store are not fetched, and nothing if it "
            "has the very image.",
        ),
    ),
    _verb("list", "List the images in the store", "look:list_images", "", 0, 0),
    _verb("inspect", "Show all that images say", "look:inspect", "IMAGE…", 1, None).replace(complete="images"),
    _verb("history", "Show how an image was made", "look:show_history", "IMAGE", 1, 1).replace(complete="images"),
    _verb("tag", "Give an image further names", "change:tag", "IMAGE NAME…", 2, None).replace(complete="images"),
    _verb("rm", "Take away names, and images that have none left", "change:remove", "IMAGE…", 1, None).replace(
        complete="images",
        details=("An id stands for all names of its image. One that a container uses is not taken away.",),
    ),
    _verb("prune", "Take away images without a name, and layers of no image", "change:prune", "", 0, 0).replace(
        options=(Option("all", "And all images that no container uses", short="a"),),
    ),
    _verb("df", "Show what the store holds", "look:df", "", 0, 0),
    _verb("check", "Compare all files of the store with what was unpacked", "look:check", "", 0, 0).replace(
        options=(Option("repair", "Take out what is damaged"),),
        details=(
            "Exits with 1 if something is wrong. --repair takes out the images that are concerned, so that they can be "
            "imported again, but for those that a container uses, which it names.",
        ),
    ),
)
