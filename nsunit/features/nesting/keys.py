"""`Nesting=` of [Container]."""

from __future__ import annotations

from nsunit.definition.setting import own
from nsunit.definition.values import boolean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

TABLES: dict[str, dict[str, Row]] = {
    "Container": {
        "Nesting": own(
            *(boolean, False, "yes|no"),
            *("User namespaces can be made inside, and mount /proc there: bwrap, browsers, rootless podman.", "yes"),
        ),
    }
}


def build(fields: dict[str, Any], values: list[tuple[str, Any]]) -> None:
    """Note it."""
    fields["extras"]["nesting"] = dict(values)["Nesting"]


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """What a whole /proc would be to the host's root, and what there is none to be had of."""
    if not container.extra("nesting"):
        return []
    found: list[Contradiction] = []
    if container.has_hosts_root:
        message = "root inside must not be the host's root, who could change the host by a whole /proc"
        found.append(
            ("Nesting", message, "leave out PrivateUsers=, UIDMap= and UserNamespace=, or name ids without 0 outside")
        )
    for kind, key in (("user", "UserNamespace"), ("pid", "PIDNamespace"), ("mnt", "MountNamespace")):
        if kind in dict(container.namespaces):
            found.append(("Nesting", f"it needs a namespace of its own, and {key}= says another", f"leave out {key}="))
    return found
