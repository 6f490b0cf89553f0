"""systemd.syntax(7): text → assignments with their lines, and every mistake in the syntax.

Knows nothing of the keys.  Follows systemd's config_parse(): comments start with `#` or `;`, a trailing backslash
continues a line (comment lines in between are skipped), a byte order mark and CRLF are accepted, sections and keys
that start with `X-` belong to somebody else.  Where systemd warns and goes on, this reports a problem.
"""

from __future__ import annotations

from nsunit.definition import FILE_MAX
from nsunit.errors import Problem, did_you_mean
from nsunit.names import printable

LINE_MAX = 1 << 16

# What the definition of a network has instead.
NETWORK_SECTIONS = ("Network",)
SECTIONS = ("Unit", "Container", "Pod", "Slice", "Service", "Timer", "Install")

# What the files of other tools have, and where it goes.
_OTHERS_SECTIONS = {
    **dict.fromkeys(("Exec", "Files"), "systemd-nspawn has it; its keys belong in [Container]"),
    "Kube": "Quadlet has it; write a definition for each container, and POD.pod.nsunit",
    "Image": "Quadlet has it; use [Container] Image=",
    "Build": "Quadlet has it; build the image by 'nsunit build', and use [Container] Image=",
    "Quadlet": "Quadlet has it; leave it out",
}

_BLANK = " \t"
_LINE_SEPARATORS = "\u2028\u2029"


def is_control(char: str) -> bool:
    """Tell whether *char* could end or disturb a line somewhere: C0, DEL, C1, the Unicode line separators."""
    return char < " " or "\x7f" <= char <= "\x9f" or char in _LINE_SEPARATORS


def has_control(text: str) -> bool:
    """Tell whether *text* has a control character (see `is_control`)."""
    return not text.isprintable() and any(is_control(char) for char in text)


class Lines:
    """One file on its way through the parser; collects `assignments` and `problems`."""

    def __init__(self, path: str, sections: tuple[str, ...] = SECTIONS) -> None:
        self.path = path
        self.sections = sections
        self.assignments: list[tuple[str, str, str, int]] = []
        self.problems: list[Problem] = []
        self.section: str | None = None
        self.ignored = False

    def problem(self, line: int, message: str, hint: str | None = None) -> None:
        """Note a mistake at *line*."""
        self.problems.append(Problem(self.path, line, message, hint))

    def take(self, text: str, line: int) -> None:
        """Handle one logical line, which began at *line*."""
        text = text.strip(_BLANK)
        if not text:
            return
        if text[0] == "[":
            self._header(text, line)
            return
        if self.section is None and not self.ignored:
            self.problem(line, f"'{printable(text)}' is outside of any section", f"start with [{self._first}]")
            self.ignored = True
            return
        if self.ignored:
            return
        self._assignment(text, line)

    @property
    def _first(self) -> str:
        return "Container" if "Container" in self.sections else self.sections[0]

    def _header(self, text: str, line: int) -> None:
        self.section, self.ignored = None, True
        name = text[1:-1]
        if text[-1] != "]" or not name:
            self.problem(line, f"'{printable(text)}' is not a section header", "write [Name] on a line of its own")
        elif name in self.sections:
            self.section, self.ignored = name, False
        elif not name.startswith("X-"):
            known = ", ".join(f"[{section}]" for section in self.sections)
            there = "only section is" if len(self.sections) == 1 else "sections are"
            hint = _OTHERS_SECTIONS.get(name) or did_you_mean(name, self.sections, "[{}]") or f"the {there} {known}"
            if name in NETWORK_SECTIONS:
                hint = "that is for NAME.network.nsunit; a container joins it with [Container] Network=NAME"
            self.problem(line, f"unknown section '{printable(text)}'", hint)

    def _assignment(self, text: str, line: int) -> None:
        assert self.section is not None
        key, equals, value = text.partition("=")
        key = key.rstrip(_BLANK)
        if not equals:
            self.problem(line, f"[{self.section}] '{printable(text)}' has no '='", "write Key=value")
        elif not key:
            self.problem(line, f"[{self.section}] '{printable(text)}' has no key before '='", "write Key=value")
        elif not key.startswith("X-"):
            self.assignments.append((self.section, key, value.lstrip(_BLANK), line))


def parse(
    path: str, data: bytes, sections: tuple[str, ...] = SECTIONS
) -> tuple[list[tuple[str, str, str, int]], list[Problem]]:
    """Split *data*, the content of *path*, into `(section, key, value, line)` and the problems found.

    A continued assignment counts as being on its first line.  Values have no blanks around them; an empty value
    resets its key.
    """
    lines = Lines(path, sections)
    if len(data) > FILE_MAX:
        lines.problem(0, f"is larger than {FILE_MAX} bytes", "this is not a definition")
        return [], lines.problems
    pending = ""
    first = 0
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        text = _decode(lines, raw, number)
        if text is None or text.lstrip(_BLANK)[:1] in ("#", ";"):
            continue
        if len(pending) + len(text) > LINE_MAX:
            lines.problem(number, f"line is longer than {LINE_MAX} characters")
            pending, first = "", 0
            continue
        first = first or number
        if _continues(text):
            pending += text[:-1] + " "
            continue
        lines.take(pending + text, first)
        pending, first = "", 0
    lines.take(pending, first)
    return lines.assignments, lines.problems


def _continues(text: str) -> bool:
    return (len(text) - len(text.rstrip("\\"))) % 2 == 1


def _decode(lines: Lines, raw: bytes, number: int) -> str | None:
    """Return *raw* as text, or None after reporting what is wrong with it."""
    try:
        text = raw.removesuffix(b"\r").decode()
    except UnicodeDecodeError as error:
        lines.problem(number, f"is not UTF-8 (byte 0x{raw[error.start]:02x})", "save the file as UTF-8")
        return None
    if not text.isprintable():
        for char in text:
            if char != "\t" and is_control(char):
                lines.problem(number, f"control character '{printable(char)}'", "remove it")
                return None
    return text
