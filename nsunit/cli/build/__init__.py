"""The verb that makes images of what others describe."""

from __future__ import annotations

from nsunit.cli.verbs import Option, Verb

_PULL = ("always", "ifmissing", "ifnewer", "never")  # of buildah-build(1)

VERBS = (
    Verb(
        "build",
        "image",
        "Build an image from a Containerfile, by buildah",
        "nsunit.cli.build.build:build_image",
        operands="[DIR]",
        most=1,
        options=(
            Option("tag", "Name to give it", short="t", value="NAME", repeat=True),
            Option("file", "The Containerfile, if not DIR/Containerfile", short="f", value="FILE", complete=("file",)),
            Option("build-arg", "Value of an ARG", value="KEY=VALUE", repeat=True),
            Option("target", "The stage to build", value="STAGE"),
            Option("secret", "What RUN --mount=type=secret shows", value="id=ID,src=FILE", repeat=True),
            Option("platform", "Platform to build for", value="SYSTEM/ARCHITECTURE"),
            Option("pull", "When to fetch what it is built FROM", value="WHEN", complete=_PULL),
            Option("no-cache", "Build each step anew"),
            Option("limit", "A limit of all of the build, a key of [Slice]", "l", value="KEY=VALUE", repeat=True),
            Option("mkosi", "Build the tree of a directory of mkosi's", run="nsunit.cli.build.build:build_tree"),
        ),
        complete="file",
        before="doctor",
        details=(
            "DIR is the directory that one is in, if not given. buildah(1), which has to be installed, does so, with "
            "its cache of steps and its progress. What FROM, COPY --from= and RUN --mount=from= name is looked for in "
            "nsunit's store, in buildah's storage, and then in registries; with --pull=always or ifnewer nsunit's "
            "store is left out. What was not built here comes from the store into buildah's storage once, as "
            "localhost/nsunit-store/ID.",
            "Each RUN is a container of nsunit-oci(8): a unit in the slice that all of the build is in, which has the "
            "limits (--limit MemoryMax=1G). Of a user without privileges it has a network by pasta(1); the buildah of "
            "Debian 12 wants slirp4netns(1) for that. The image comes into nsunit's store, and stays in buildah's, for "
            "the next build.",
            "With --mkosi, mkosi(1) builds the tree that DIR describes, which comes into the store as an image of one "
            "layer: with Image= and Boot=yes it is a system that boots.",
            "With --quiet what they say is printed only if they fail.",
        ),
    ),
)
