"""The verb `doctor` with --check and --repair: what no container owns."""

from __future__ import annotations

from nsunit.cli import report
from nsunit.cli.output import Style, plural, print_json, print_table
from nsunit.deeds.host.leftovers import leftovers, take_away

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.core.findings import Leftover

_COLUMNS = ("KIND", "WHAT", "WHY")


def check(invocation: Invocation) -> int:
    """`nsunit doctor --check`."""
    found = leftovers(invocation.context())
    _tell(invocation, found, "found")
    return 1 if found else 0


def repair(invocation: Invocation) -> int:
    """`nsunit doctor --repair`."""
    context = invocation.context()
    done: list[Leftover] = []
    failures = take_away(context, leftovers(context), done.append)
    _tell(invocation, done, "taken away")
    return max(map(report, failures), default=0)


def _tell(invocation: Invocation, found: list[Leftover], done: str) -> None:
    if invocation.flag("json"):
        print_json(found)
        return
    style = Style.of(invocation)
    print_table(style, _COLUMNS, [(item.kind, item.what, item.why) for item in found])
    if not invocation.flag("quiet"):
        style.line(f"{plural(len(found), 'leftover')} {done}" if found else "nothing is left")
