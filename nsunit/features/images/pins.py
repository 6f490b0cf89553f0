"""The image that `update` and `rollback` have chosen for a container, in place of what its name means today.

What a container has written into its root belongs to the layers below it, so each image has an upper directory of its
own: that of the chosen one is in place, and those of others stand beside it under their ids.
"""

from __future__ import annotations

import os

from nsunit.record import Record
from nsunit.storage import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context

FILE = "pin"  # in a container's directory
_RETURN = "pin.back"  # beside it, while another image is tried


class Pin(Record):
    """*identity* runs while the definition calls its image *reference*; *former* is what a rollback goes back to.

    *failed* is an image with which the container did not come up, or that was rolled back from; nothing by itself
    tries it again.
    """

    reference: str
    identity: str
    former: str = ""
    failed: str = ""


def read(directory: str) -> Pin | None:
    """The pin of the container with *directory*; None where it has none."""
    content = files.read_file(f"{directory}/{FILE}")
    return None if content is None else Pin(*content.decode().split("\n")[:4])


def write(directory: str, pin: Pin, file: str = FILE) -> None:
    """Note it."""
    lines = (pin.reference, pin.identity, pin.former, pin.failed)
    files.write_file(f"{directory}/{file}", ("\n".join(lines) + "\n").encode())


def prepare_return(directory: str, pin: Pin) -> None:
    """Have `go_back` note *pin*, whatever room there is by then."""
    write(directory, pin, _RETURN)


def go_back(directory: str, pin: Pin, former: Pin | None) -> Pin | None:
    """Note what was prepared in place of *pin*, if that is noted; returns what was.

    Where it could not be noted, *former* still is.  What another command has noted, and prepared, since then stays.
    """
    there = read(directory)
    if there == pin:
        try:
            os.rename(f"{directory}/{_RETURN}", f"{directory}/{FILE}")
        except FileNotFoundError:
            pass  # the container was removed
    else:
        forget_return(directory, former)
    return there


def forget_return(directory: str, pin: Pin | None) -> None:
    """Have nothing prepared any more where *pin* is noted: the other one's is not ours."""
    if read(directory) == pin:
        files.discard(f"{directory}/{_RETURN}")


def pinned(context: Context, name: str, reference: str) -> str:
    """The image that container *name*, which calls it *reference*, is to run; empty where nothing says so."""
    pin = read(context.paths.state_of(name))
    return pin.identity if pin and pin.reference == reference else ""


def put_upper_in_place(context: Context, upper: str, has: str, wanted: str, note: str, content: bytes) -> None:
    """Have the directory *upper* be that of the image *wanted*, where it was that of *has*.

    The file *note*, with *content*, says whose it is.  Killed anywhere in between, this is called again, and goes on.
    """
    if has != wanted:
        if has and os.path.isdir(upper):
            if os.path.isdir(f"{upper}-{has}"):  # from when the definition called its image by another name
                context.remove_tree(f"{upper}-{has}")
            os.rename(upper, f"{upper}-{has}")
        files.write_file(note, content)
    if not os.path.isdir(upper) and os.path.isdir(f"{upper}-{wanted}"):
        os.rename(f"{upper}-{wanted}", upper)


def forget_uppers(context: Context, name: str, kept: tuple[str, ...]) -> None:
    """Remove what container *name* has written on images that are none of *kept*."""
    directory = context.paths.state_of(name)
    prefix = os.path.basename(context.paths.upper_of(name)) + "-"
    for entry in files.list_directory(directory):
        if entry.startswith(prefix) and entry.removeprefix(prefix) not in kept:
            context.remove_tree(f"{directory}/{entry}")
