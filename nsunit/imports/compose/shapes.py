"""What of a compose file is a mapping or a list: who takes the file apart relies on it."""

from __future__ import annotations

from nsunit.imports.compose.document import Override, Reset
from nsunit.imports.model import Unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from nsunit.imports.compose.project import Project

_MAPPING = "mapping", "write its keys below it"
_LIST = "list", "write an item a line, behind '- '"
_EITHER = "list or mapping", "write an item a line, behind '- '"
_TEXT = "text", "write a name"
_KINDS: dict[str, tuple[type, ...]] = {
    "mapping": (dict,),
    "list": (list,),
    "list or mapping": (dict, list),
    "text": (str,),
}
# Those of services that are not here are looked at one by one, and told where they are of another shape.
_SHAPES = (
    ("services", ("mapping", "write NAME: and below it its keys")),
    ("services.*", _MAPPING),
    *((f"{kind}{below}", _MAPPING) for kind in ("networks", "volumes", "configs", "secrets") for below in ("", ".*")),
    ("networks.*.driver_opts", _MAPPING),
    ("networks.*.ipam", _MAPPING),
    ("networks.*.ipam.config", _LIST),
    ("networks.*.ipam.config.*", _MAPPING),
    ("volumes.*.driver_opts", _MAPPING),
    ("services.*.deploy", _MAPPING),
    ("services.*.deploy.resources", _MAPPING),
    ("services.*.deploy.resources.*", _MAPPING),
    ("services.*.deploy.restart_policy", _MAPPING),
    ("services.*.healthcheck", _MAPPING),
    *((f"services.*.{key}", _LIST) for key in ("links", "profiles", "configs", "secrets")),
    *((f"services.*.{key}.*", _TEXT) for key in ("links", "profiles")),
    *((f"services.*.{key}", _EITHER) for key in ("depends_on", "networks")),
)
# In a mapping each has keys, in a list none.
_NAMED = ("services.*.depends_on", "services.*.networks")


def check(project: Project, data: dict[str, Any]) -> None:
    """See that *data* of a file of *project* are of these shapes; what is empty is of any.

    Raises:
        Unusable: something is not.
    """
    for pattern, (kind, hint) in _SHAPES:
        for where, value in _found(data, pattern.split(".")):
            _check(project, where, value, kind, hint)
    for pattern in _NAMED:
        for where, value in _found(data, pattern.split(".")):
            for name, item in _items(value):
                _check(project, (*where, name), item, *(_MAPPING if isinstance(value, dict) else _TEXT))


def _check(project: Project, where: tuple[str, ...], value: Any, kind: str, hint: str) -> None:
    value = value.value if isinstance(value, Override) else value
    if value is not None and not isinstance(value, (Reset, *_KINDS[kind])):
        raise Unusable(project.origin(*where), f"it is no {kind}", hint)


def _found(data: Any, pattern: list[str], where: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not pattern:
        yield where, data
        return
    for name, value in _items(data):
        if pattern[0] in ("*", name):
            yield from _found(value, pattern[1:], (*where, name))


def _items(data: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list):
        yield from ((str(place), value) for place, value in enumerate(data))
