"""What shells complete `NAME:PATH` with: the entries of a container's directory."""

from __future__ import annotations

import os
from itertools import islice

from nsunit.errors import UsageError
from nsunit.features.images.unpack.worker import Worker, raise_first
from nsunit.features.transfer import ends
from nsunit.features.transfer.view import View
from nsunit.names import check_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from nsunit.core.context import Context

_MOST = 1000
# A name with other signs is not offered: it would be typed into a shell of the host's, which expands them.
_PLAIN = frozenset("._-+@%,")


def offered(context: Context, text: str) -> list[str]:
    """What `NAME:PATH` as far as it is typed, *text*, may become; directories end with a slash.

    Raises:
        UsageError: it names no container.
        NsunitError: there is no such container or directory, or its root cannot be seen now.
    """
    end = ends.end_of(text)
    if not end.container:
        raise UsageError(f"'{printable(text)}' is not in a container", hint="NAME:PATH")
    check_name(end.container)
    with View(context, end.container, writes=False) as view:
        return raise_first([Worker(lambda: list(islice(_entries(end, view), _MOST)), view.fds).result()])


def _entries(end: ends.End, view: View) -> Iterator[str]:
    above, _, begun = end.path.rpartition("/")
    typed = end.text[: len(end.text) - len(begun)]
    root = view.enter()
    fd = ends.in_container(root)(above or "/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    with os.scandir(fd) as found:
        for entry in found:
            name = entry.name
            shown = name.startswith(begun) and (begun or not name.startswith("."))
            if shown and all(sign.isalnum() or sign in _PLAIN for sign in name):
                yield f"{typed}{name}{'/' if entry.is_dir(follow_symlinks=False) else ''}"
