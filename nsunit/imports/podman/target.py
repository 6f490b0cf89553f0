"""The container that options are about, while they are read."""

from __future__ import annotations

from nsunit.imports.model import Draft, Line, NotCarried, Origin, Remark
from nsunit.imports.text import literal, word, word_of_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_OF_PARTS = frozenset(("Bind", "BindReadOnly", "Device", "Tmpfs", "Volume"))  # colons in them have backslashes


class Names:
    """What is called what: of podman's networks, volumes, containers, images and pods, by their names there.

    A network may be a link of the host, `macvlan:eth0`; a volume a directory, which begins with a slash, or options
    that follow a colon; an image another one's name.
    """

    def __init__(self) -> None:
        self.networks: dict[str, str] = {}
        self.subnets: dict[str, list[tuple[str, str]]] = {}  # of networks that are links: each with its gateway
        self.volumes: dict[str, str] = {}
        self.containers: dict[str, str] = {}
        self.images: dict[str, str] = {}
        self.pods: dict[str, str] = {}


class Target:
    """A draft with what is known while its options are read; `origin` is that of the one at hand.

    *specifiers*: percent signs in values are systemd's.  *base* is what paths without a slash in front are below.
    `pending` has options that count together, by their names, each with where it was said.  `command` is the key of all
    of the command line: of an image with an entrypoint that is another one.
    """

    def __init__(
        self,
        draft: Draft,
        names: Names | None = None,
        *,
        user: bool = False,
        specifiers: bool = False,
        base: str = "/",
        read: Callable[[str], str | None] = lambda _path: None,
        environ: dict[str, str] | None = None,
    ) -> None:
        self.draft = draft
        self.names = names or Names()
        self.user = user
        self.specifiers = specifiers
        self.base = base
        self.read = read
        self.environ = environ or {}
        self.origin = Origin("", 0, "")
        self.remarks: list[Remark] = []
        self.pending: dict[str, tuple[str, Origin]] = {}
        self.section = "Container"  # or that of a pod
        self.command = "Exec"

    def say(self, key: str, value: str, section: str = "") -> None:
        """Add an assignment, whose value is written as definitions have it."""
        self.draft.add(section or self.section, key, value, self.origin)

    def plain(self, key: str, value: str, section: str = "") -> None:
        """Add an assignment, of a value without quotes."""
        self.say(key, value if self.specifiers else literal(value), section)

    def word(self, text: str) -> str:
        """*text* as one word."""
        return word(text, specifiers=self.specifiers)

    def words(self, key: str, value: str, section: str = "") -> None:
        """Add an assignment whose value is one word."""
        quote = word_of_parts if key in _OF_PARTS else word
        self.say(key, quote(value, specifiers=self.specifiers), section)

    def remark(self, reason: str, instead: str) -> None:
        """Tell what of the option at hand is not carried over."""
        self.remarks.append(Remark(self.origin, reason, instead))

    def hold(self, name: str, value: str) -> None:
        """Keep an option until all are known."""
        self.pending[name] = (value, self.origin)

    def held(self, name: str) -> str:
        """The value of an option that was kept, whose origin then counts; empty where there is none."""
        value, origin = self.pending.get(name, ("", self.origin))
        self.origin = origin
        return value

    def path(self, text: str) -> str:
        """The absolute path that *text* means."""
        if text.startswith(("/", "%")):
            return text
        if text == "~" or text.startswith("~/"):
            home = self.environ.get("HOME", "")
            if not home:
                raise NotCarried(f"'{text}' is below somebody's home", "write the whole path")
            return home + text[1:]
        parts = [part for part in self.base.split("/") if part]
        for part in text.split("/"):
            if part == "..":
                parts = parts[:-1]
            elif part not in ("", "."):
                parts.append(part)
        return "/" + "/".join(parts)

    def first(self, lines: list[Line]) -> None:
        """Put *lines* in front of those of the same section and key."""
        self.draft.lines[:0] = lines
