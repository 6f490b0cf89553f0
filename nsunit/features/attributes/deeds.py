"""Attributes of a running container's control group that systemd has no property for, changed and used at once."""

from __future__ import annotations

from nsunit.core.context import attempt
from nsunit.errors import NsunitError
from nsunit.features.attributes.keys import of
from nsunit.features.attributes.plan import attribute_line, operations
from nsunit.setup import attributes
from nsunit.setup.namespaces import Subgroup
from nsunit.setup.operation import dump
from nsunit.storage import files
from nsunit.units import PAYLOAD_SUBGROUP

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context, Undo
    from nsunit.definition.model import Definition

BURST = "cpu.max.burst"
_NOTHING = {BURST: "0", "cpu.uclamp.min": "0", "rdma.max": "hca_handle=max hca_object=max"}  # else "max"


def before_change(context: Context, unit: str, old: Definition, new: Definition, undo: Undo) -> None:
    """Before systemd changes anything of *unit*: the kernel refuses a CPUQuota= below the burst that still holds."""
    for lines in differences(old, new):
        if lines[0].startswith(f"{BURST}="):
            _change(context, unit, lines[0], f"{BURST}=0", undo)


def change(context: Context, unit: str, old: Definition, new: Definition, undo: Undo) -> None:
    """Give *unit* the attributes of *new* in place of those of *old*, now and whenever systemd restarts it.

    Raises:
        NsunitError: the kernel refuses one.
    """
    for before, after in differences(old, new):
        _change(context, unit, f"{BURST}=0" if before.startswith(f"{BURST}=") else before, after, undo)
    path = context.paths.runtime_of(new.name) + "/plan"
    content = files.read_file(path)
    if content is not None and of(old.container) != of(new.container):
        undo.append(lambda: files.write_file(path, content))
        files.write_file(path, with_subgroup(content, new))


def with_subgroup(plan: bytes, definition: Definition) -> bytes:
    """The helper's *plan* with the attributes of *definition*."""
    attributes = dump(operations([Subgroup(PAYLOAD_SUBGROUP, ())], definition.container, None)).split(b"\0")[2:]
    return b"".join(_with_attributes(line, attributes) for line in plan.splitlines(keepends=True))


def _with_attributes(line: bytes, attributes: list[bytes]) -> bytes:
    fields = line.rstrip(b"\n").split(b"\0")
    fixed = {b"subgroup": 2, b"boot-subgroup": 3}.get(fields[0])
    return line if fixed is None else b"\0".join((*fields[:fixed], *attributes)).rstrip(b"\n") + b"\n"


def differences(old: Definition, new: Definition) -> list[tuple[str, str]]:
    """For each attribute that differs, the line that sets it as in *old* and the one that sets it as in *new*."""
    before = {(file, subject): value for file, subject, value in of(old.container)}
    after = {(file, subject): value for file, subject, value in of(new.container)}
    return [
        (_line(place, before), _line(place, after))
        for place in dict.fromkeys((*before, *after))
        if before.get(place) != after.get(place)
    ]


def _line(place: tuple[str, str], values: dict[tuple[str, str], str]) -> str:
    return attribute_line(*place, values.get(place) or _NOTHING.get(place[0], "max"))


def _change(context: Context, unit: str, before: str, after: str, undo: Undo) -> None:
    group = _group_of(context, unit)
    attempt(lambda: _write(group, after), undo, lambda: _write(group, before))


def _write(group: str, line: str) -> None:
    try:
        attributes.write(group, line)
    except OSError as error:
        raise NsunitError(f"{error.filename}: {error.strerror}", hint="nothing was changed") from error


def _group_of(context: Context, unit: str) -> str:
    group = context.bus.get(unit, "ControlGroup").get("ControlGroup")
    if not isinstance(group, str) or not group:
        raise NsunitError(f"'{unit}' has no control group, it has just ended")
    return group
