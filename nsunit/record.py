"""Frozen records with the syntax of dataclasses and none of their import cost.

`import dataclasses` takes longer than a bare interpreter needs to start (it brings in inspect), and every
`nsunit start` would pay for it.  A `Record` subclass lists annotated fields; it gets `__init__`, `__eq__`,
`__hash__` and `__repr__`, and refuses assignment.  Type checkers understand it through `dataclass_transform`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self, dataclass_transform

    # By the name of a feature, what that knows.
    Extras = tuple[tuple[str, Any], ...]
else:

    def dataclass_transform(**_options):  # noqa: D103 — only a marker for the type checker
        return lambda decorated: decorated


@dataclass_transform(frozen_default=True, eq_default=True)
class Record:
    """Base of all frozen records.  Fields without a default come first, as in a dataclass."""

    _fields: tuple[str, ...] = ()
    _names: frozenset[str] = frozenset()
    _defaults: dict[str, object] = {}

    def __init_subclass__(cls) -> None:
        own = [name for name in cls.__dict__.get("__annotations__", {}) if not name.startswith("_")]
        cls._fields = cls._fields + tuple(name for name in own if name not in cls._fields)
        cls._names = frozenset(cls._fields)
        cls._defaults = {**cls._defaults, **{name: cls.__dict__[name] for name in own if name in cls.__dict__}}

    def __init__(self, *args: object, **kwargs: object) -> None:
        fields = self._fields
        if len(args) > len(fields):
            raise TypeError(f"{type(self).__name__} takes {len(fields)} fields, got {len(args)}")
        values = {**self._defaults, **dict(zip(fields, args, strict=False)), **kwargs}
        if values.keys() != self._names:
            wrong = sorted(set(values) ^ set(fields))
            raise TypeError(f"{type(self).__name__}: missing or unknown fields: {', '.join(wrong)}")
        self.__dict__.update(values)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot assign '{name}'")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen: cannot delete '{name}'")

    def _values(self) -> tuple[object, ...]:
        return tuple(self.__dict__[name] for name in self._fields)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self._fields)
        return f"{type(self).__name__}({fields})"

    def replace(self, **changes: Any) -> Self:
        """Return a copy with *changes* applied."""
        return type(self)(**{**self.__dict__, **changes})


class Extended(Record):
    """A record with a field `extras`, to which features add; each knows what it has put there."""

    @property
    def features(self) -> tuple[str, ...]:
        """The names of those that have."""
        return tuple(name for name, _ in self._extras())

    def uses(self, feature: str) -> bool:
        """Whether *feature* has anything in it."""
        return any(name == feature for name, _ in self._extras())

    def extra(self, feature: str, default: Any = None) -> Any:
        """What *feature* has put into it; *default* where that is nothing, or None."""
        for name, value in self._extras():
            if name == feature and value is not None:
                return value
        return default

    def with_extra(self, feature: str, value: Any) -> Self:
        """A copy in which *feature* has *value*."""
        return self.replace(extras=(*(pair for pair in self._extras() if pair[0] != feature), (feature, value)))

    def _extras(self) -> Extras:
        found: Extras = self.__dict__["extras"]
        return found


def plain(value: object) -> object:
    """*value* in the types of JSON; a record becomes an object."""
    if isinstance(value, Record):
        return {name: plain(getattr(value, name)) for name in value._fields}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value
