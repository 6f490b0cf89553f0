"""The verb `list` with --oci."""

from __future__ import annotations

from nsunit.cli.output import Style, print_json, print_table
from nsunit.errors import UsageError
from nsunit.names import matching, printable
from nsunit.oci.overview import overview, roots
from nsunit.oci.state import STOPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.oci.overview import OciContainer

_COLUMNS = ("NAME", "STATE", "PID", "UNIT", "ENGINE'S NAME", "BUNDLE")
_SPARE = ("BUNDLE", "UNIT", "ENGINE'S NAME", "PID")  # the first is left out first


def list_oci(invocation: Invocation) -> int:
    """The verb `list` with --oci: containers that engines have made with nsunit-oci(8)."""
    if invocation.flag("tree"):
        raise UsageError("--oci shows no groups: engines have their own", hint="nsunit list --oci, or systemd-cgls")
    found = _wanted(invocation, overview(roots()))
    if invocation.flag("json"):
        print_json(found)
    elif invocation.flag("names"):
        style = Style(plain=True)
        for item in found:
            style.line(printable(item.name))
    else:
        print_table(Style.of(invocation), _COLUMNS, [_row(item) for item in found], _SPARE)
    return 0


def _wanted(invocation: Invocation, loaded: list[OciContainer]) -> list[OciContainer]:
    """Those that the command line asks for, by either of their names."""
    wanted = matching((name for item in loaded for name in (item.name, item.engine_name) if name), invocation.operands)
    everything = invocation.flag("all")
    return [
        item
        for item in loaded
        if (everything or item.state != STOPPED) and (item.name in wanted or item.engine_name in wanted)
    ]


def _row(item: OciContainer) -> tuple[str, ...]:
    pid = str(item.pid) if item.pid else "-"
    return (item.name, item.state, pid, item.unit or "-", item.engine_name or "-", item.bundle)
