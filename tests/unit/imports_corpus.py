"""What others' files become, kept as text: `imports/corpus/KIND/CASE`.

A case is a file with parts, each after a line with its title, `=== /etc/containers/systemd/web.container`. Those that
begin with a slash are files, all of them are given to the format; `=== read /etc/more.conf` is one that others name;
`=== arguments` has the words of a command line, one a line; `=== environ`, NAME=VALUE lines; `=== user`, that it is for
a user without privileges; `=== given`, lines of what else there is: `project=shop`, `profiles=debug,dev`, `name=web`.
Then there is what comes of it: `=> web.nsunit` for each definition, and `=> remarks`.

`python3 tests/unit/imports_corpus.py [KIND…]` writes what comes of it anew. That is for a change that is meant to
be seen: look at what `git diff` then shows.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "imports/corpus"
if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parents[1]), str(HERE)]

from nsunit import imports  # noqa: E402
from nsunit.core.context import Context  # noqa: E402
from nsunit.deeds.imports.bring import Brought, bring  # noqa: E402
from nsunit.definition.host import Account, Host  # noqa: E402
from nsunit.definition.search import SearchPath  # noqa: E402
from nsunit.errors import NsunitError  # noqa: E402
from nsunit.imports.model import Given  # noqa: E402

PART = re.compile("^(===|=>) (.*)\n", flags=re.M)


class FixedContext(Context):
    """A machine that has no definitions yet."""

    def __init__(self, folder: str = "/nonexistent", *, user: bool = False) -> None:
        super().__init__(SearchPath((folder,)), user=user)
        lea = Account("lea", 1000, 1000, ((200000, 65536),), ((200000, 65536),))
        self._host = Host(257, find_user=lambda text: lea if text in ("lea", "1000") else None)


def cases() -> list[str]:
    """The names of all cases, KIND/CASE."""
    return sorted(str(path.relative_to(FOLDER)) for path in FOLDER.glob("*/*"))


def parts(case: str) -> tuple[dict[str, str], dict[str, str]]:
    """What is given, and what is expected, by title."""
    pieces = PART.split((FOLDER / case).read_text())
    given: dict[str, str] = {}
    expected: dict[str, str] = {}
    for mark, title, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        (given if mark == "===" else expected)[title] = text
    return given, expected


def given_of(given: dict[str, str]) -> Given:
    """What the format gets."""
    extra = dict(line.split("=", 1) for line in given.get("given", "").split())
    return Given(
        tuple((title, text) for title, text in given.items() if title[0] == "/"),
        lambda path: given.get(f"read {path}"),
        tuple(given.get("arguments", "").splitlines()),
        "user" in given,
        lambda path: entries(given, path),
        tuple(tuple(line.split("=", 1)) for line in given.get("environ", "").splitlines()),
        **{key: tuple(value.split(",")) if key == "profiles" else value for key, value in extra.items()},
    )


def entries(given: dict[str, str], path: str) -> tuple[str, ...] | None:
    """The names in a directory, as far as there are parts for files in it."""
    start = path.rstrip("/") + "/"
    paths = [title.removeprefix("read ") for title in given]
    names = {item.removeprefix(start).split("/")[0] for item in paths if item.startswith(start)}
    return tuple(sorted(names - {""})) or None


def brought(case: str, given: Given) -> Brought:
    """What comes of it on a machine with nothing else."""
    kind = imports.find(case.partition("/")[0])
    assert kind is not None
    with tempfile.TemporaryDirectory() as folder:
        return bring(FixedContext(folder, user=given.user), kind, given, dry_run=True)


def result(case: str) -> dict[str, str]:
    """What comes of a case, by title."""
    try:
        found = brought(case, given_of(parts(case)[0]))
    except NsunitError as error:
        return {"error": f"{error.message}\n{error.hint or ''}".rstrip() + "\n"}
    texts = {f"{draft.name}.nsunit": draft.text() for draft in found.drafts}
    if found.remarks:
        texts["remarks"] = "".join(f"{remark}\n" for remark in found.remarks)
    return texts


def main() -> None:
    """Write what comes of all cases anew."""
    for case in cases():
        if sys.argv[1:] and case.partition("/")[0] not in sys.argv[1:]:
            continue
        given, _ = parts(case)
        text = "".join(f"=== {title}\n{part}" for title, part in given.items())
        text += "".join(f"=> {title}\n{part}" for title, part in result(case).items())
        (FOLDER / case).write_text(text)


if __name__ == "__main__":
    main()
