"""`Slice=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.words import ValueProblem
from nsunit.names import GROUP_SUFFIX, is_valid_group, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.setting import Row


def slice_group(text: str) -> str:
    """The name of a group, with or without `.slice`; `shop-eu` is one within `shop`."""
    return group_name(text, GROUP_SUFFIX, "group")


def group_name(text: str, suffix: str, what: str) -> str:
    """*text* without *suffix*: the name of *what*, a group or something that is named like one."""
    name = text.removesuffix(suffix)
    if not is_valid_group(name):
        raise ValueProblem(
            f"'{printable(text)}' is not the name of a {what}",
            f"use a-z, 0-9, '_' and '.', with a dash before the name of a {what} within a group",
        )
    return name


TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Slice": own(slice_group, False, "GROUP", "Group of containers whose limits it shares.", "shop"),
    }
}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Put it into the group."""
    fields["slice"] = dict(values)["Slice"]
    fields["extras"]["groups"] = None
