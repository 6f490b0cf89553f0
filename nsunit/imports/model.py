"""What goes into an import and what comes out: texts, definitions under way, and remarks."""

from __future__ import annotations

from nsunit.names import printable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    # Which line of a Draft's text is which of its lines.
    Places = dict[int, "Line"]

SECTIONS = ("Unit", "Container", "Pod", "Network", "Slice", "Service", "Timer", "Install")


# What a container is not without: an import that cannot say them makes nothing.  Others are left out, with a remark.
ESSENTIAL = frozenset(
    "Image Rootfs Layer Exec Entrypoint User Group Network Pod Slice Capability PrivateUsers UIDMap GIDMap ReadOnly"
    " Secret Boot".split()
)


class Origin(Record):
    """Where something was said: `key` as it is called there; `line` is 0 where there are none."""

    path: str
    line: int
    key: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.key}" if self.line else f"{self.path}: {self.key}"


class Remark(Record):
    """Something said at *origin* that is not carried over: why, and what to use or do."""

    origin: Origin
    reason: str
    instead: str

    def __str__(self) -> str:
        return f"{self.origin}: {self.reason}; {self.instead}"


class Given(Record):
    """What a format gets.

    *texts* are the files that were named or found, in that order, by their paths.  *read* gives the text of a further
    one by its absolute path, None where there is none, and *entries* the names in a directory.  *arguments* are a
    command line.  *user*: it is for containers of a user without privileges.  *environ* has variables where a format
    knows such; *profiles*, *scale* (how many of a service), *services* (of whatever profile) and *project* are those of
    compose; *name* is what the one container is to be called.  *is_local* tells of a short name of an image whether one
    that was made here, without a registry, is called so.
    """

    texts: tuple[tuple[str, str], ...] = ()
    read: Callable[[str], str | None] = lambda _path: None
    arguments: tuple[str, ...] = ()
    user: bool = False
    entries: Callable[[str], tuple[str, ...] | None] = lambda _path: None
    environ: tuple[tuple[str, str], ...] = ()
    profiles: tuple[str, ...] = ()
    scale: tuple[tuple[str, int], ...] = ()
    services: tuple[str, ...] = ()
    project: str = ""
    name: str = ""
    is_local: Callable[[str], bool] = lambda _image: False


class Line(Record):
    """One assignment of a definition: *value* as it stands there, quoted, with its percent signs doubled if meant."""

    section: str
    key: str
    value: str
    origin: Origin

    @property
    def is_essential(self) -> bool:
        """Whether a container is not without it: what a tool's own unit has of that name is none of its business."""
        return self.section in ("Container", "Pod") and self.key in ESSENTIAL


class Draft:
    """A definition under way; *name* is that of its file without `.nsunit`: `web`, `web@`, `shop.pod`, `front.network`.

    *about* are the comments at its top, one a line.
    """

    def __init__(self, name: str, *about: str) -> None:
        self.name = name
        self.about = list(about)
        self.lines: list[Line] = []

    def add(self, section: str, key: str, value: str, origin: Origin) -> None:
        """Add an assignment, unless the same one is there already."""
        for old in self.lines:
            if old.value == value and old.key == key and old.section == section:
                return
        self.lines.append(Line(section, key, value, origin))

    def has(self, section: str, key: str) -> bool:
        """Whether *key* of *section* is said."""
        return any((line.section, line.key) == (section, key) for line in self.lines)

    def values(self, section: str, key: str) -> tuple[str, ...]:
        """What is said of *key* of *section*."""
        return tuple(line.value for line in self.lines if (line.section, line.key) == (section, key))

    def without_broken(self) -> list[Remark]:
        """Take out lines that a file cannot have as one; values are by others, and may be more than meets the eye.

        Raises:
            Unusable: it is a line that the container is not without.
        """
        lost = [line for line in self.lines if _is_broken(line.value)]
        for line in lost:
            if line.is_essential:
                raise Unusable(line.origin, _BROKEN, "write it in one line, in UTF-8")
        self.drop(lost)
        return [Remark(line.origin, _BROKEN, "write it in one line, in UTF-8") for line in lost]

    def drop(self, gone: Iterable[Line]) -> None:
        """Take lines out."""
        leaving = set(gone)
        self.lines = [line for line in self.lines if line not in leaving]

    def text(self) -> str:
        """The text of the definition."""
        return self.with_places()[0]

    def with_places(self) -> tuple[str, Places]:
        """The text, and which of its lines, counted from 1, is which of `lines`.

        A comment says where the lines after it come from: which file, and which lines of it.
        """
        out = [f"# {printable(text)}" for text in self.about]
        places: Places = {}
        for section in SECTIONS:
            lines = [line for line in self.lines if line.section == section]
            if lines:
                out += ["", f"[{section}]"] if out else [f"[{section}]"]
            for place, line in enumerate(lines):
                before = lines[place - 1].origin.path if place else ""
                if line.origin.path != before:
                    out.append(f"# {printable(_whence(lines[place:], line.origin.path))}")
                out.append(f"{line.key}={line.value}")
                places[len(out)] = line
        return "\n".join(out) + "\n", places


_BROKEN = "its value has a line break, ends with a backslash, or is not UTF-8"


def _is_broken(value: str) -> bool:
    """Whether *value* would not be read again as it is, or would be more than one line."""
    if not value.isprintable() and any(char in value for char in "\n\r\0"):
        return True
    return value.endswith("\\") or any("\ud800" <= char <= "\udfff" for char in value if not char.isascii())


def _whence(lines: list[Line], path: str) -> str:
    """`FILE`, or `FILE:FIRST-LAST`, of those first of *lines* that come from it."""
    numbers = []
    for line in lines:
        if line.origin.path != path:
            break
        if line.origin.line:
            numbers.append(line.origin.line)
    if not numbers:
        return path
    first, last = min(numbers), max(numbers)
    return f"{path}:{first}" if first == last else f"{path}:{first}-{last}"


class Imported(Record):
    """What came of it."""

    drafts: tuple[Draft, ...]
    remarks: tuple[Remark, ...]


class NotCarried(Exception):
    """A value has no counterpart: *reason*, and *instead*, what to use or do."""

    def __init__(self, reason: str, instead: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.instead = instead


class Unusable(Exception):
    """What is there is not what it should be: no definition can come of the file *origin* is in."""

    def __init__(self, origin: Origin, reason: str, instead: str) -> None:
        super().__init__(reason)
        self.remark = Remark(origin, reason, instead)
