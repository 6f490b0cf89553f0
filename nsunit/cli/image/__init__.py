"""The verbs of `nsunit image`."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

_COMPRESSION = Option(
    "compression",
    "Compression of the layers: gzip (default), zstd or none",
    value="KIND",
    complete=("gzip", "zstd", "none"),
)


def _verb(name: str, summary: str, run: str, operands: str, least: int, most: int | None) -> Verb:
    function = f"nsunit.cli.image.{run}"
    return Verb(f"image {name}", "image", summary, function, operands, least, most, before="doctor")


VERBS = (
    Verb(
        "commit",
        "image",
        "Make an image of what a container has written",
        "nsunit.cli.image.out:commit_container",
        operands="NAME IMAGE",
        least=2,
        most=2,
        options=(
            Option("message", "Message for the history", short="m", value="TEXT"),
            Option("author", "Author, for the history", short="a", value="TEXT"),
            Option("change", "An instruction of a Containerfile for its config", "c", value="INSTRUCTION", repeat=True),
            Option("no-pause", "Do not pause the container meanwhile"),
        ),
        complete="defined",
        before="doctor",
        details=(
            "The image of the container with one layer more, what is in the upper directory of its root, and with the "
            "config that it has, changed by CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME or WORKDIR "
            "(--change='CMD [\"nginx\"]'). A container of layers or of a directory becomes an image of all of them "
            "that is run as the container is. Its owners are those that the program sees. What is mounted is not in "
            "it, and no sockets.",
            "A running container is frozen while it is read.",
        ),
    ),
    Verb(
        "diff",
        "image",
        "Show what a container has changed of its root",
        "nsunit.cli.image.steps:diff_container",
        operands="NAME",
        least=1,
        most=1,
        complete="defined",
        before="doctor",
        details=(
            "Prints A for what was added, C for what was changed or has changes in it, and D for what was deleted.",
        ),
    ),
    Verb(
        "update",
        "lifecycle",
        "Update a container to a newer image, and go back if it does not come up",
        "nsunit.cli.image.update:update_container",
        operands="[NAME [IMAGE]]",
        most=2,
        options=(Option("auto", "All running containers that have AutoUpdate="),),
        complete="defined",
        before="rm",
        details=(
            "Takes what its image's name means in the store now, or IMAGE, restarts the container and waits until it "
            "is ready and, where Health= checks it, healthy. If it does not come to that, it runs the former image "
            "again, and the command fails. A container that is not running gets the image with its next start.",
            "What it has written into its root stays with the image that it was written on, and is there again after "
            "a rollback; what is to outlive an update belongs in Bind=.",
        ),
    ),
    Verb(
        "rollback",
        "lifecycle",
        "Return a container to the image it ran before its last update",
        "nsunit.cli.image.update:roll_container_back",
        operands="NAME",
        least=1,
        most=1,
        complete="defined",
        before="rm",
        details=("An image that was rolled back from is not taken by 'update --auto' any more.",),
    ),
    _verb("import", "Import an image into the store", "bring:import_image", "[TRANSPORT:]PATH[:TAG]|-", 1, 1).replace(
        options=(
            Option("name", "Name to give it, instead of the one it has there", value="NAME", repeat=True),
            Option(
                "platform", "Platform to choose from an index, this machine's if not given", value="SYSTEM/ARCHITECTURE"
            ),
        ),
        complete="file",
        details=(
            "TRANSPORT is one of skopeo(1)'s, oci:DIR, oci-archive:FILE, docker-archive:FILE (what 'docker save' and "
            "'podman save' write) or dir:DIR, or tar:FILE for the archive of a root; without one it is guessed. TAG "
            "says which of several images. Layers may be compressed by gzip, zstd or xz, archives as well.",
            "With - as PATH an archive comes from standard input: docker save IMAGE | nsunit image import -",
            "By skopeo there are containers-storage:NAME, of podman's store, and docker://NAME, which is 'image pull'. "
            "Root file systems come in as one layer: root:DIR, machine:NAME of /var/lib/machines, and raw:FILE for a "
            "disk image that systemd-dissect(1) can mount, verified by the .roothash beside it. mstack:DIR has the "
            "layers of systemd.mstack(7), with what was written on top of them, and the config beside it.",
            "It is unpacked in a unit of its own, without network and with few privileges. What is damaged, has another"
            " digest than it should, or is more than an image may be, leaves nothing behind.",
        ),
    ),
    _verb(
        "pull", "Fetch an image from its registry, by skopeo", "bring:pull_image", "NAME[:TAG|@DIGEST]", 1, 1
    ).replace(
        options=(
            Option(
                "platform", "Platform to choose from an index, this machine's if not given", value="SYSTEM/ARCHITECTURE"
            ),
        ),
        details=(
            "skopeo(1), which has to be installed, does so in a unit of its own, with the caller's credentials, "
            "registries.conf and policy on signatures. Layers that are in the store are not fetched, and nothing if it "
            "has the very image.",
        ),
    ),
    _verb("list/ls", "List the images in the store", "look:list_images", "", 0, 0),
    _verb("inspect", "Show all that images say", "look:inspect", "IMAGE…", 1, None).replace(complete="images"),
    _verb("history", "Show how an image was made", "look:show_history", "IMAGE", 1, 1).replace(complete="images"),
    _verb("log", "Show the layers of an image, and who made them", "steps:show_log", "IMAGE", 1, 1).replace(
        complete="images",
        details=("The topmost first, each with the images that end with it, as git-log(1) has commits and branches.",),
    ),
    _verb("diff", "Show how the files of two images differ", "steps:diff_images", "IMAGE IMAGE", 2, 2).replace(
        complete="images",
        details=(
            "A is in the second only, D in the first only, and C has another type, mode, owner, size, time, attribute "
            "or content, or something in it is different.",
        ),
    ),
    _verb(
        "branch", "Give a name to an image, or to what it was made on", "steps:make_branch", "NEW IMAGE", 2, 2
    ).replace(
        complete="images",
        options=(Option("back", "Go this many layers down, 0 if not given", short="n", value="N"),),
    ),
    _verb("revert", "Move a name back to what its image was made on", "steps:go_back", "IMAGE", 1, 1).replace(
        complete="images",
        options=(Option("back", "Go this many layers down, 1 if not given", short="n", value="N"),),
        details=(
            "That is the image from which it was committed, where that is still there, or else one of the lower "
            "layers with the same config. The image itself stays until 'image prune'.",
        ),
    ),
    _verb(
        "bisect", "Find the layer with which a command fails", "bisect:bisect_images", "GOOD BAD COMMAND…", 3, None
    ).replace(
        complete="images",
        command_at=2,
        details=(
            "BAD has the layers of GOOD and more. The command runs in containers of what lies between, as 'nsunit run' "
            "has them, until it is told which layer was the first with which it fails. As for git-bisect(1), it exits "
            "with 0 for good, with 125 if that cannot be told, with another one up to 127 for bad, and ends the search "
            "by any other.",
        ),
    ),
    _verb(
        "export", "Write an image to a file or directory", "out:export_image", "IMAGE TRANSPORT:PATH[:TAG]|-", 2, 2
    ).replace(
        options=(_COMPRESSION,),
        complete="images",
        words="nsunit.cli.image.out:transports",
        details=(
            "TRANSPORT is one of skopeo(1)'s: oci:DIR, which may have other images already, oci-archive:FILE, "
            "docker-archive:FILE, which 'docker load' and 'podman load' take, dir:DIR, or tar:FILE, which is the "
            "merged root alone, as one archive. With - as FILE it goes to standard output, and - alone is "
            "docker-archive:-, as in: nsunit image export IMAGE - | docker load",
            "The store has layers unpacked, so they are packed again: the same image always gives the same bytes, but "
            "layers that came from elsewhere have another digest than they had there, and the image another id. "
            "Layers that 'nsunit commit' has made keep theirs.",
        ),
    ),
    _verb(
        "push", "Send an image to a registry, by skopeo", "out:push_image", "IMAGE [[docker://]NAME[:TAG]]", 1, 2
    ).replace(
        options=(_COMPRESSION,),
        complete="images",
        details=(
            "skopeo(1), which has to be installed, does so in a unit of its own, with root's credentials and "
            "registries.conf. Without a second NAME it goes where its own says. As to digests, see 'image export'.",
        ),
    ),
    _verb("tag", "Give an image further names", "change:tag", "IMAGE NAME…", 2, None).replace(complete="images"),
    _verb("rm", "Remove names, and images that have none left", "change:remove", "IMAGE…", 1, None).replace(
        complete="images",
        details=("An id stands for all names of its image. One that a container uses is not taken away.",),
    ),
    _verb("prune", "Remove images without a name, and layers of no image", "change:prune", "", 0, 0).replace(
        options=(
            Option("all", "Also remove all images that no container uses", short="a"),
            Option("dry-run", "Only say what would be removed", short="n"),
            Option("force", "Do not ask", short="f"),
        ),
    ),
    _verb("df", "Show what the store holds", "look:df", "", 0, 0),
    _verb("check", "Compare all files of the store with what was unpacked", "look:check", "", 0, 0).replace(
        options=(Option("repair", "Remove what is damaged"),),
        details=(
            "Exits with 1 if something is wrong. --repair takes out the images that are concerned, so that they can be "
            "imported again, but for those that a container uses, which it names.",
        ),
    ),
)
