"""`Image=`, `Entrypoint=` and `Pull=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import choice
from nsunit.definition.values_container import command
from nsunit.definition.words import wrong
from nsunit.features.images.layout import ID_MIN, is_digest, is_reference
from nsunit.features.output.keys import by_default
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row


class Chosen(Record):
    """What a definition says of its image.

    *entrypoint* is None where it leaves that to the image.  *says* are the keys of [Container] that it has itself.
    *pull* is when a registry is asked for it.  *id* is the image that *reference* stood for when it was looked up;
    empty before.
    """

    reference: str
    entrypoint: tuple[str, ...] | None = None
    says: frozenset[str] = frozenset()
    pull: str = "missing"
    id: str = ""


def reference(text: str) -> str:
    """The name of an image, or its id; `docker://` before it, as other tools have it, means the same.

    Files and stores of others are no names: what is in them may be another image at each start, and a start reads one
    small file.
    """
    text = text.removeprefix("docker://")
    digits = text.removeprefix("sha256:")
    if digits != text and len(digits) >= ID_MIN and is_digest(digits.ljust(64, "0")):
        return text
    if not is_reference(text):
        if text.partition(":")[0] in _SOURCES:
            hint = (
                f"bring it in with 'nsunit image import {text} --name localhost/NAME', and write Image=localhost/NAME"
            )
            raise wrong(text, "is where an image comes from, and not its name", hint)
        raise wrong(text, "is not the name of an image", "e.g. docker.io/library/nginx:1.27, or localhost/web")
    return text


_SOURCES = (
    *("oci", "oci-archive", "docker-archive", "docker-daemon", "dir", "tar", "containers-storage"),
    *("machine", "root", "raw", "mstack"),
)
PULLS = ("missing", "newer", "never", "always")

TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Image": own(
            *(reference, False, "NAME[:TAG]|ID"),
            *("Image in the store whose layers become the root, and that says what to run.", "localhost/web:1"),
        ),
        "Entrypoint": own(
            *(command, False, "COMMAND"),
            *("In place of the image's entrypoint; Exec= then has the arguments.", "/docker-entrypoint.sh"),
        ),
        "Pull": own(
            *(choice(*PULLS), False, "|".join(PULLS)),
            *("When a start asks the registry for the image; newer: each time, but it need not answer.", "newer"),
        ),
    }
}


def of(container: Container) -> Chosen | None:
    """What *container* says of its image; None where it has none."""
    found: Chosen | None = container.extra("images")
    return found


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note it.  Programs of images log to /dev/stdout by name."""
    given = dict(values)
    says = frozenset(given)
    fields["image"] = given.get("Image", "")
    pull = given.get("Pull", "missing")
    fields["extras"]["images"] = Chosen(given.get("Image", ""), given.get("Entrypoint"), says, pull)
    if not given.get("Boot"):
        by_default(fields, values)


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """An image is the lowest of what a root is made of."""
    chosen = of(container)
    found: list[Contradiction] = []
    if chosen is None:
        return found
    if not chosen.reference:
        if chosen.entrypoint is None:
            return [("Pull", "that is about an image, and there is no Image=", "leave it out")]
        return [("Entrypoint", "that is in place of an image's, and there is no Image=", "put it into Exec=")]
    if container.rootfs is not None:
        found.append(("Image", "Image= and Rootfs= exclude each other", "leave out one of the two"))
    root = dict(container.namespaces).get("mnt")
    if root is not None:
        message = f"its root is there already with MountNamespace={root}"
        found.append(("Image", message, "leave it out, or use MountNamespace=private"))
    return found
