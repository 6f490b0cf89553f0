"""`build`: what a tool of others makes comes into the store."""

from __future__ import annotations

import os

from nsunit.core.programs import directory_with
from nsunit.definition.load import any_of_text
from nsunit.errors import LIMIT, NsunitError, SessionError, UsageError
from nsunit.features.builds import units
from nsunit.features.builds.carry import carried_out
from nsunit.features.builds.own import contexts
from nsunit.features.images import writing
from nsunit.features.images.bring import check_names
from nsunit.features.images.fetch.origins import STORAGE, import_from
from nsunit.features.images.layout import local_name
from nsunit.features.images.store import Store
from nsunit.formats.procfs import routes
from nsunit.names import printable
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.features.builds.units import Wish
    from nsunit.features.images.bring import Imported
    from nsunit.units import Property, Unit

_FILES = ("Containerfile", "Dockerfile")
_MKOSI = ("mkosi.conf", "mkosi.conf.d")


def build(context: Context, wish: Wish) -> Imported:
    """Build the image of a Containerfile by buildah(1), each RUN of which nsunit-oci runs, and bring it in.

    Raises:
        NsunitError: buildah is not installed, or there is nothing to build.
        SessionError: it has failed; what it said was on standard error.
    """
    wish = _with_file(_checked(wish))
    program = _program("buildah", "Containerfiles are built by buildah")
    runtime = _program("nsunit-oci", "each RUN is a container of nsunit-oci", package="nsunit")
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    limits = _limits(context, wish.limits)

    def carry(token: str, words: Sequence[str], directory: str) -> None:
        _carry(context, token, units.slice_of(token, limits), words, "buildah", directory, quiet=wish.quiet)

    own = contexts(context, store, wish, program, carry)
    with writing.Staging(store) as staging:
        slice_, id_file = units.slice_name(staging.token), f"{staging.path}/id"
        wish = wish.replace(contexts=own)
        carry(staging.token, units.buildah(program, wish, slice_, runtime, id_file, context.user), "")
        identity = (files.read_file(id_file) or b"").decode().strip()
    return import_from(context, f"{STORAGE}{identity.removeprefix('sha256:')}", wish.tags, wish.platform)


def build_tree(context: Context, wish: Wish) -> Imported:
    """Build the tree of a directory of mkosi(1)'s, and bring it in as an image of one layer.

    Raises:
        NsunitError: mkosi is not installed, or the directory is none of its own.
        SessionError: it has failed; what it said was on standard error.
    """
    wish = _checked(wish)
    if not any(os.path.lexists(f"{wish.directory}/{name}") for name in _MKOSI):
        raise UsageError(f"'{printable(wish.directory)}' has no mkosi.conf", hint="name a directory of mkosi's")
    program = _program("mkosi", "such trees are built by mkosi")
    store = Store(context.paths, context.remove_tree)
    writing.sweep(store)
    with writing.Staging(store) as staging:
        token = staging.token
        slice_ = units.slice_of(token, _limits(context, wish.limits))
        _carry(context, token, slice_, units.mkosi(program, wish, staging.path), "mkosi", quiet=wish.quiet)
        names = wish.tags or (local_name(os.path.basename(wish.directory).lower()),)
        return import_from(context, f"root:{staging.path}/image", names, "")


def _checked(wish: Wish) -> Wish:
    """*wish* with an absolute directory and full names.

    Raises:
        UsageError: there is no such directory, or a name is none.
    """
    directory = os.path.abspath(wish.directory)
    if not os.path.isdir(directory):
        raise UsageError(f"there is no directory '{printable(directory)}'", hint="name the one with the Containerfile")
    check_names(wish.tags)
    return wish.replace(
        directory=directory,
        file=os.path.abspath(wish.file) if wish.file else "",
        tags=tuple(local_name(name) for name in wish.tags),
    )


def _with_file(wish: Wish) -> Wish:
    """*wish* with the Containerfile that it means.

    Raises:
        UsageError: there is none.
    """
    if wish.file:
        if not os.path.isfile(wish.file):
            raise UsageError(f"there is no file '{printable(wish.file)}'", hint="-f names the Containerfile")
        return wish
    for name in _FILES:
        if os.path.isfile(f"{wish.directory}/{name}"):
            return wish.replace(file=f"{wish.directory}/{name}")
    raise UsageError(
        f"'{printable(wish.directory)}' has no Containerfile, and no Dockerfile", hint="-f FILE if it is elsewhere"
    )


def _program(name: str, what: str, package: str = "") -> str:
    directory = directory_with((name,))
    if not directory:
        raise NsunitError(f"{what}, which is not installed", hint=f"install the package '{package or name}'")
    return f"{directory}/{name}"


def _limits(context: Context, given: Sequence[tuple[str, str, str]]) -> tuple[Property, ...]:
    """The properties of the slice that *given* says.

    Raises:
        DefinitionError: one is no key of [Slice], or has a wrong value.
    """
    more = [(section or "Slice", key, value, LIMIT) for section, key, value in given]
    return any_of_text("build.slice", "", LIMIT, context.host, more).properties_of("Slice")


def _carry(
    context: Context,
    token: str,
    slice_: Unit,
    words: Sequence[str],
    what: str,
    directory: str = "",
    *,
    quiet: bool,
) -> None:
    status = carried_out(context, token, slice_, words, directory, quiet=quiet)
    if status:
        error = SessionError(f"{what} has ended with status {status}, and nothing came into the store", status)
        if context.user and what == "buildah":
            error.hint = _hint_for_network()
        raise error


def _hint_for_network() -> str | None:
    """What may have kept a user's steps from their network, which is pasta's: findings/pasta-dead-route.sh."""
    found = routes(files.read_kernel_file("/proc/net/route") or "")
    dead = {link for link, _ in found if files.read_kernel_file(f"/sys/class/net/{link}/operstate") == "down\n"}
    if not dead or any(is_default and link not in dead for link, is_default in found):
        return None
    named = "', '".join(sorted(dead))
    return (
        f"if a step had no network: pasta(1) wants a default route, or no route by a link that is down, as '{named}' is"
    )
