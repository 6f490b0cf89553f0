"""The units of a build, and the commands in them.  Pure.

Everything is in one slice, which has the limits of all of it: the tool in a scope, and beside it what the tool asks its
runtime for, a scope for each RUN.
"""

from __future__ import annotations

from nsunit.record import Record
from nsunit.units import INFINITY, Property, Unit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

STOP_USEC = 10_000_000
_ISOLATION = ("--isolation=oci",), ("--isolation=rootless", "--network=private")


class Wish(Record):
    """What `build` was asked for: see buildah-build(1) for what *arguments*, *secrets* and the rest mean to it.

    *limits* are `(section, key, value)`, the section empty for [Slice]; *contexts* say which images are meant by name.
    *quiet*: what the tool says is of no interest, unless it fails.
    """

    directory: str
    tags: tuple[str, ...] = ()
    file: str = ""
    arguments: tuple[str, ...] = ()
    target: str = ""
    secrets: tuple[str, ...] = ()
    platform: str = ""
    pull: str = ""
    no_cache: bool = False
    limits: tuple[tuple[str, str, str], ...] = ()
    contexts: tuple[str, ...] = ()
    quiet: bool = False


def slice_name(token: str) -> str:
    """The slice of a build.  None of a container can be called so."""
    return f"nsunitbuild_{token}.slice"


def slice_of(token: str, limits: Sequence[Property]) -> Unit:
    """`nsunitbuild_TOKEN.slice`, which ends with what is in it."""
    properties = (Property("Description", "s", "Build of an image"), Property("StopWhenUnneeded", "b", True))
    return Unit(slice_name(token), (*properties, *limits))


def scope_of(token: str, slice_: str, pid: int) -> Unit:
    """`nsunit-build-TOKEN.scope`, in which the process *pid* becomes the tool."""
    return Unit(
        f"nsunit-build-{token}.scope",
        (
            Property("Description", "s", "Build of an image"),
            Property("Slice", "s", slice_),
            Property("CollectMode", "s", "inactive-or-failed"),
            Property("TimeoutStopUSec", "t", STOP_USEC),
            Property("TasksMax", "t", INFINITY),  # the slice has the limit
            Property("PIDs", "au", (pid,)),
        ),
    )


def buildah(program: str, wish: Wish, slice_: str, runtime: str, id_file: str, user: bool = False) -> list[str]:
    """The command line of buildah, of a *user* without privileges or of root; the id of the image goes to *id_file*.

    With `oci` the buildah of Debian 12 tries to make a user a bridge in the host's network; with `rootless` there is a
    network of its own by pasta or slirp4netns, but only if it is said.
    """
    words = [program, "build", *_ISOLATION[user], f"--cgroup-parent={slice_}", "--layers", f"--iidfile={id_file}"]
    # With --cgroup-manager=systemd only `buildah run` says so to the runtime.
    words += [f"--runtime={runtime}", "--runtime-flag=systemd-cgroup"]
    words += ["--format=docker"]  # that of OCI has no room for HEALTHCHECK and SHELL, nor for those of what it is FROM
    words += [f"--tag={name}" for name in wish.tags]
    words += [f"--file={wish.file}"] if wish.file else []
    words += [f"--build-arg={item}" for item in wish.arguments]
    words += [f"--secret={item}" for item in wish.secrets]
    words += [f"--build-context={item}" for item in wish.contexts]
    for name in ("target", "platform", "pull"):
        value = getattr(wish, name)
        words += [f"--{name}={value}"] if value else []
    words += ["--no-cache"] if wish.no_cache else []
    return [*words, "--", wish.directory]


def mkosi(program: str, wish: Wish, output: str) -> list[str]:
    """The command line of mkosi, which leaves the tree `image` in the directory *output*."""
    words = [program, f"--directory={wish.directory}", "--format=directory", f"--output-directory={output}"]
    return [*words, "--output=image", "--force", "build"]
