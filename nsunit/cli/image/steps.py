"""diff, image diff, log, branch and revert."""

from __future__ import annotations

from nsunit.cli import say
from nsunit.cli.image.look import ID_SHOWN
from nsunit.cli.output import Style, format_size, print_json, print_table
from nsunit.features.images.out.compare import Change, container_changes, image_changes
from nsunit.features.images.out.lineage import branch, log, revert
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.cli.verbs import Invocation


def diff_container(invocation: Invocation) -> int:
    """The verb `diff`."""
    return _tell(invocation, container_changes(invocation.context(), invocation.operands[0]))


def diff_images(invocation: Invocation) -> int:
    """`nsunit image diff`."""
    return _tell(invocation, image_changes(invocation.context(), *invocation.operands))


def _tell(invocation: Invocation, changes: Sequence[Change]) -> int:
    if invocation.flag("json"):
        print_json(changes)
    else:
        for item in changes:
            say(f"{item.kind} {item.path}")
    return 0


def show_log(invocation: Invocation) -> int:
    """`nsunit image log`."""
    entries = log(invocation.context(), invocation.operands[0])
    if invocation.flag("json"):
        print_json(entries)
        return 0
    rows: list[tuple[str, ...]] = [
        (
            item.layer[:ID_SHOWN],
            printable(item.created[:19]) or "-",
            format_size(item.size),
            printable(item.author) or "-",
            " ".join(item.names) or "-",
            printable(f"{item.message}: {item.by}" if item.message and item.by else item.message or item.by) or "-",
        )
        for item in entries
    ]
    columns, spare = ("LAYER", "CREATED", "SIZE", "AUTHOR", "IMAGES", "BY"), ("AUTHOR", "IMAGES", "CREATED", "SIZE")
    print_table(Style.of(invocation), columns, rows, spare, cut=True)
    return 0


def make_branch(invocation: Invocation) -> int:
    """`nsunit image branch`."""
    name, text = invocation.operands
    return _tell_image(invocation, branch(invocation.context(), name, text, invocation.number("back", 0)))


def go_back(invocation: Invocation) -> int:
    """`nsunit image revert`."""
    return _tell_image(invocation, revert(invocation.context(), invocation.operands[0], invocation.number("back", 1)))


def _tell_image(invocation: Invocation, identity: str) -> int:
    if invocation.flag("json"):
        print_json({"id": identity})
    elif not invocation.flag("quiet"):
        say(identity)
    return 0
