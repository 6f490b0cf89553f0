"""The verbs of `nsunit image`."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

VERBS = (
    Verb(
        "image import",
        "image",
        "Bring an image into the store",
        "nsunit.cli.image.bring:import_image",
        operands="[TRANSPORT:]PATH[:TAG]",
        least=1,
        most=1,
        options=(
            Option("name", "What to call it, in place of the name it has there", value="NAME", repeat=True),
            Option("platform", "Which one of an index, in place of this machine's", value="SYSTEM/ARCHITECTURE"),
        ),
        complete="file",
        before="doctor",
        details=(
            "TRANSPORT is one of skopeo(1)'s, oci:DIR, oci-archive:FILE, docker-archive:FILE (what 'docker save' and "
            "'podman save' write) or dir:DIR, or tar:FILE for the archive of a root; without one it is guessed. TAG "
            "says which of several images. Layers may be compressed by gzip, zstd or xz, archives as well.",
            "It is unpacked in a unit of its own, without network and with few privileges. What is damaged, has another"
            " digest than it should, or is more than an image may be, leaves nothing behind.",
        ),
        connects=True,
    ),
)
