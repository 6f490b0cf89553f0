"""The verb `run`."""

from __future__ import annotations

import sys

from nsunit.cli.session.borrowed import published, said
from nsunit.deeds.session.run import run as run_container
from nsunit.definition.setting import lookup
from nsunit.errors import UsageError
from nsunit.names import check_name, new_run_name, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation

# Where a key is looked for that is given without its section.  A limit that a slice and a service can both have goes to
# the slice: there it holds for exec sessions as well.
_SECTIONS = ("Container", "Slice", "Service", "Unit")


def run(invocation: Invocation) -> int:
    """The verb `run`."""
    given = invocation.value("name")
    name = new_run_name() if given is None else check_name(given)
    keys = [*(_property(text) for text in invocation.values("property")), *said(invocation)]
    status = run_container(
        invocation.context(),
        keys,
        invocation.operands,
        name=name,
        detach=invocation.flag("detach"),
        tty=invocation.flag("tty"),
        interactive=invocation.flag("interactive"),
        keep=invocation.flag("keep"),
    )
    if invocation.flag("detach") and status == 0 and not invocation.flag("quiet"):
        sys.stdout.write(name + "\n")
    return status


def _property(text: str) -> tuple[str, str, str]:
    """Split `[SECTION.]KEY=VALUE` into its three parts; the section is looked up if it is not given."""
    if published(text):
        return "Container", "PublishPort", text
    left, equals, value = text.partition("=")
    section, dot, key = left.partition(".")
    if not equals or not (key if dot else left):
        raise UsageError(
            f"'{printable(text)}' is not a key with its value", hint="--property=Rootfs=/var/lib/machines/debian"
        )
    if dot:
        return section, key, value
    known = next((section for section in _SECTIONS if lookup(section, left) is not None), "Container")
    return known, left, value
