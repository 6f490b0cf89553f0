"""Definitions and what nsunit prints about them, kept as text: `render/corpus`.

A topic has two files. `TOPIC.definitions` has definitions, each after a line with its file's name:

    === web.nsunit

Names are those below `/etc/nsunit`; another file begins with a slash, and what alice has begins with `~/`. Of a topic
that is called `faulty-…` only the errors are shown, and where there are `TOPIC.commands` it is those that are run.
The topic `examples` is what is in packaging/examples.
`TOPIC.expected` has what was printed, each after a line with the command; of most only the lines that differ from
what the same command prints about `plain` in the topic of that name:

    === nsunit render --json web, like plain
    @@ -12,1 +12,1 @@
    -      "value": "Container web"
    +      "value": "A container of the web"

`python3 tests/unit/corpus.py` writes all `.expected` anew from what nsunit prints now. That is for a change that is
meant to be seen: look at what `git diff` then shows.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "render/corpus"
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

from fixed_host import HOME, FixedHost, fixed_host  # noqa: E402

SECTION = "=== "
HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,\d+)? @@")
SUFFIX = ".nsunit"
PLAIN = "plain"
LIKE_PLAIN = ", like plain"
FAULTY = "faulty-"
EXAMPLES = "examples"
NETWORK = ".network"  # systemd has nothing of these that could be rendered


def topics() -> list[str]:
    """The names of all topics."""
    return sorted({path.stem for path in FOLDER.iterdir() if path.suffix != ".expected"} | {EXAMPLES})


def split(text: str) -> dict[str, str]:
    """Title to text of the parts of a file."""
    parts = re.split(f"^{SECTION}(.*)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def join(parts: dict[str, str]) -> str:
    """The opposite of `split`."""
    return "".join(f"{SECTION}{title}\n{text}" for title, text in parts.items())


def definitions(topic: str) -> dict[str, str]:
    """File to text of the definitions of *topic*."""
    if topic == EXAMPLES:
        folder = HERE.parents[1] / "packaging/examples"
        return {path.name: path.read_text() for path in sorted(folder.glob("*" + SUFFIX))}
    path = FOLDER / f"{topic}.definitions"
    return split(path.read_text()) if path.exists() else {}


def place(title: str) -> str:
    """The path of a file of the host."""
    return title.replace("~", HOME, 1) if title[0] == "~" else title if title[0] == "/" else f"/etc/nsunit/{title}"


def commands(topic: str) -> list[tuple[str, ...]]:
    """The command lines of *topic*, by default those that show all there is to see of its definitions."""
    listed = FOLDER / f"{topic}.commands"
    if listed.exists():
        return [tuple(line.split()) for line in listed.read_text().splitlines()]
    found: list[tuple[str, ...]] = []
    lists: dict[tuple[str, ...], list[str]] = {}
    for title in definitions(topic):
        name = title.rpartition("/")[2].removesuffix(SUFFIX)
        if not title.endswith(SUFFIX):
            continue
        user = ("--user",) if title[0] == "~" else ()
        name = f"{name}1" if name.endswith("@") else name
        lists.setdefault(user, []).append(name)
        if topic.startswith(FAULTY):
            found.append((*user, "verify", name) if name.endswith(NETWORK) else (*user, "render", "--json", name))
        elif not name.endswith(NETWORK):
            found += [(*user, "render", "--json", name), (*user, "render", "--unit-files", name)]
    if not topic.startswith(FAULTY):
        found += [(*user, "verify", *names) for user, names in lists.items()]
    return found


def print_all(host: FixedHost, topic: str) -> dict[str, str]:
    """Command line to what it prints, of all commands for *topic*."""
    for title, text in definitions(topic).items():
        host.write(place(title), text)
    return {f"nsunit {' '.join(words)}": host.run(*words) for words in commands(topic)}


def expected(topic: str) -> dict[str, str]:
    """Command line to what it is to print."""
    found = {}
    for title, text in split((FOLDER / f"{topic}.expected").read_text()).items():
        command, like, _ = title.partition(LIKE_PLAIN)
        found[command] = patched(_plain(command), text) if like else text
    return found


def write(topic: str, printed: dict[str, str]) -> None:
    """Keep *printed* as what is expected of *topic*."""
    parts = {}
    for command, text in printed.items():
        change = difference(_plain(command), text) if topic != PLAIN else text
        if len(change) < len(text):
            parts[command + LIKE_PLAIN] = change
        else:
            parts[command] = text
    (FOLDER / f"{topic}.expected").write_text(join(parts))


@functools.cache
def _plain_texts() -> dict[str, str]:
    return split((FOLDER / f"{PLAIN}.expected").read_text())


def _plain(command: str) -> str:
    """What *command* prints about `plain`, by another name."""
    words, _, name = command.rpartition(" ")
    return _plain_texts().get(f"{words} {PLAIN}", "").replace(PLAIN, name)


def difference(base: str, text: str) -> str:
    """The lines of *text* that are not those of *base*."""
    lines = difflib.unified_diff(base.splitlines(True), text.splitlines(True), n=0)
    return "".join(line for line in lines if not line.startswith(("---", "+++")))


def patched(base: str, change: str) -> str:
    """The text whose difference from *base* is *change*."""
    lines, found, at = base.splitlines(True), [], 0
    for line in change.splitlines(True):
        hunk = HUNK.match(line)
        if hunk:
            count = int(hunk[2] or 1)
            begin = int(hunk[1]) - (1 if count else 0)
            found += lines[at:begin]
            at = begin + count
        elif line[0] == "+":
            found.append(line[1:])
    return "".join([*found, *lines[at:]])


@contextlib.contextmanager
def empty_directory() -> Iterator[Path]:
    """A directory with a short name, which has no blanks or dashes that a unit file would escape."""
    with tempfile.TemporaryDirectory(prefix="nsunit", dir="/tmp") as directory:
        yield Path(directory, "host")


def main() -> None:
    """Write what is expected of every topic anew."""
    for topic in sorted(topics(), key=lambda topic: topic != PLAIN):
        with empty_directory() as directory, fixed_host(directory) as host:
            write(topic, print_all(host, topic))


if __name__ == "__main__":
    main()
