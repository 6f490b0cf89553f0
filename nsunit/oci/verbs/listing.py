"""list: the containers there are."""

from __future__ import annotations

import pwd

from nsunit.jsontext import dumps
from nsunit.oci.errors import OciError, UsageError
from nsunit.oci.verbs.state import describe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.oci.context import Context
    from nsunit.oci.options import Given

_COLUMNS = ("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER")


def run(context: Context, given: Given) -> tuple[int, str]:
    """See the module."""
    found = []
    for name in context.store.names():
        try:
            container = context.store.load(name)
            found.append({**describe(context.store, container), "owner": _name_of(container.owner)})
        except OciError:
            continue  # its maker has not come further, or it is being removed
    form = given.one("format", "table")
    if given.has("quiet"):
        return 0, "".join(f"{entry['id']}\n" for entry in found)
    if form == "json":
        return 0, (dumps(found) if found else "null") + "\n"
    if form != "table":
        raise UsageError("invalid format option")
    rows = [_COLUMNS, *(tuple(str(entry[name.lower()]) for name in _COLUMNS) for entry in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["   ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return 0, "\n".join(lines) + "\n"


def _name_of(uid: int) -> str:
    """The name of a user; where there is none, the number as runc has it."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
