"""Images of nsunit's own store that a Containerfile names, for buildah, which knows its own storage alone.

An image that is in buildah's storage already, since it was built there, is taken from there by its id.  Others are
copied there once, as `localhost/nsunit-store/ID`.  What of buildah's, or podman's, has the name that the Containerfile
says stays as it is: the build is told which image is meant (`--build-context`).
"""

from __future__ import annotations

import os
import subprocess

from nsunit.errors import NotFoundError
from nsunit.features.builds.bases import bases
from nsunit.features.images import writing
from nsunit.features.images.config import platform_of
from nsunit.features.images.layout import candidates, is_reference
from nsunit.features.images.out import targets
from nsunit.features.images.out.parts import document_of, parts_of
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nsunit.core.context import Context
    from nsunit.features.builds.units import Wish
    from nsunit.features.images.store import Store

    Carry = Callable[[str, Sequence[str], str], None]

_NAME = "nsunit-store"
_ASKS_REGISTRIES = ("always", "ifnewer")


def contexts(context: Context, store: Store, wish: Wish, program: str, carry: Carry) -> tuple[str, ...]:
    """For each image of *store* that the Containerfile names, `NAME=container-image://IMAGE` of buildah's storage.

    *carry* runs a command line of the *program* buildah, in units that have the token given, in a directory.

    Raises:
        NsunitError: an image is damaged.
        SessionError: buildah did not take it.
    """
    if wish.pull in _ASKS_REGISTRIES:
        return ()
    text = (files.read_file(wish.file) or b"").decode("utf-8", "replace")
    arguments = dict(item.partition("=")[::2] for item in wish.arguments)
    platform = platform_of(os.uname().machine, wish.platform)[:2]
    found = []
    for said, name in bases(text, arguments).items():
        identity = _identity(store, name)
        if identity and _platform(store, identity) == platform:
            there = _there(program, identity) or _brought(context, store, identity, program, carry)
            found.append(f"{said}=container-image://{there}")
    return tuple(found)


def _identity(store: Store, name: str) -> str:
    """The id of the image that is called *name* in full, not by the end of a name alone; empty if there is none."""
    for full in candidates(name) if is_reference(name) else ():
        try:
            return store.find(full)
        except NotFoundError:
            continue
    return ""


def _platform(store: Store, identity: str) -> tuple[str, str]:
    document = document_of(store, identity)
    return str(document.get("os", "")), str(document.get("architecture", ""))


def _there(program: str, identity: str) -> str:
    """What the image is called in buildah's storage; empty if it is not there."""
    for name in (identity, _name(identity)):
        command = [program, "inspect", "--type", "image", name]
        if not subprocess.run(command, capture_output=True, check=False).returncode:
            return name
    return ""


def _brought(context: Context, store: Store, identity: str, program: str, carry: Carry) -> str:
    """Copy the image to buildah's storage, and return what it is called there.

    What is pulled from a layout has the layout's own name for it, but with the buildah of Debian 12 that of the
    directory, as it was said: both are made the same.
    """
    name, place = _name(identity), f"{_NAME}/{identity}"
    with writing.Staging(store) as staging:
        parts = parts_of(context, store, staging, identity, "")
        targets.write_directory(f"{staging.path}/{place}", targets.layout(parts, name))
        carry(staging.token, (program, "pull", "--quiet", f"oci:{place}:{name}"), staging.path)
    return name


def _name(identity: str) -> str:
    return f"localhost/{_NAME}/{identity}:latest"
