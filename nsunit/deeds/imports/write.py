"""Check definitions that an import has made, and write them: all of them, or none."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile

from nsunit import features
from nsunit.definition.load import default_instance, load_any
from nsunit.definition.search import SUFFIX, SearchPath
from nsunit.dropins.definitions import IMPORTED
from nsunit.dropins.files import make_directory
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.imports.model import Remark
from nsunit.names import is_network, printable
from nsunit.storage.files import discard, refusal, write_file
from nsunit.storage.lock import hold

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.core.context import Context
    from nsunit.imports.model import Draft, Line, Places

_ROUNDS_MAX = 30


class Staged:
    """Drafts as files in a directory of their own, beside the one they are for, where the loader finds them.

    *temporary* is where that directory is made.
    """

    def __init__(self, context: Context, drafts: Sequence[Draft], target: str, temporary: str) -> None:
        self.context = context
        self.drafts = drafts
        self.target = target
        self.temporary = temporary
        self.places: dict[str, Places] = {}

    def __enter__(self) -> Staged:
        self.directory = tempfile.mkdtemp(prefix=IMPORTED, dir=self.temporary)
        self._held = -1
        try:
            self._held = hold(self.directory)
            for draft in self.drafts:
                self._write(draft)
        except BaseException:  # a full disk, which is told without a name
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        if self._held >= 0:
            os.close(self._held)

    def _write(self, draft: Draft) -> None:
        text, self.places[draft.name] = draft.with_places()
        write_file(os.path.join(self.directory, draft.name + SUFFIX), text.encode())

    def check(self) -> list[Remark]:
        """Load all of them as they would be loaded; lines that nsunit does not take are taken out, and remarked.

        Raises:
            DefinitionError: what is left is no definition.
        """
        others = [path for path in self.context.search.directories if path != self.target]
        search = SearchPath((self.directory, self.target, *others), self.context.search.units)
        remarks: list[Remark] = []
        # Containers need their pods and networks to be right.
        for draft in sorted(self.drafts, key=lambda draft: not (draft.name.endswith(".pod") or is_network(draft.name))):
            for _ in range(_ROUNDS_MAX):
                problems = self._problems(draft, search)
                if not problems:
                    break
                remarks += self._without(draft, problems, search)
            else:
                raise self._error(draft, problems)
        return remarks

    def _problems(self, draft: Draft, search: SearchPath) -> list[Problem]:
        name = draft.name
        try:
            if is_network(name):
                features.load("network", "definition").load_network(name.rpartition(".")[0], search, self.context.host)
                return []
            if name.endswith("@"):
                instance = default_instance(f"{name}1", search, self.context.host)
                name = instance or f"{name}1"
            load_any(name, search, self.context.host)
        except DefinitionError as error:
            return list(error.problems)
        return []

    def _without(self, draft: Draft, problems: Sequence[Problem], search: SearchPath) -> list[Remark]:
        """Take out of *draft* the lines that have *problems*."""
        mine = os.path.join(self.directory, draft.name + SUFFIX)
        of_lines = [(problem, self._line_of(draft, problem, search)) for problem in problems if problem.path == mine]
        lost = [line for _, line in of_lines if line is not None]
        if len(lost) < len(problems) or any(line.is_essential for line in lost):
            raise self._error(draft, problems)
        draft.drop(lost)
        self._write(draft)
        return [
            Remark(line.origin, _bare(problem, line.key), problem.hint or "leave it out")
            for problem, line in of_lines
            if line is not None
        ]

    def _line_of(self, draft: Draft, problem: Problem, search: SearchPath) -> Line | None:
        """The line of *draft* that *problem* is about.

        What does not fit together is told of the last line of a key: here of the one without which it is not told.
        """
        told = self.places[draft.name].get(problem.line)
        of_key = [line for line in draft.lines if told and (line.section, line.key) == (told.section, told.key)]
        if len(of_key) < 2:
            return told
        kept = draft.lines
        try:
            for line in reversed(of_key):
                draft.lines = [other for other in kept if other != line]
                self._write(draft)
                if problem.message not in (item.message for item in self._problems(draft, search)):
                    return line
        finally:
            draft.lines = kept
            self._write(draft)
        return told

    def _error(self, draft: Draft, problems: Sequence[Problem]) -> DefinitionError:
        """An error with *problems* where they come from."""
        places = self.places[draft.name]
        found = []
        for problem in problems:
            line = places.get(problem.line)
            if line is not None:
                message = f"{line.origin.key}: {_bare(problem, line.key)}"
                problem = Problem(line.origin.path, line.origin.line, message, problem.hint)
            elif problem.path.startswith(self.directory):
                problem = problem.replace(path=os.path.join(self.target, os.path.basename(problem.path)))
            found.append(problem)
        return DefinitionError(found)

    def install(self, *, replace: bool = True) -> list[str]:
        """Put the files into their directory, and return their paths; if one cannot be, none is.

        Raises:
            DefinitionError: somebody else has written one meanwhile, and *replace* is off.
        """
        make_directory(self.target)
        saved: list[tuple[str, str]] = []
        held = hold(self.target)  # of two imports one waits
        try:
            if not replace:
                refuse_others(self.drafts, self.target)
            for draft in self.drafts:
                path = os.path.join(self.target, draft.name + SUFFIX)
                staged = os.path.join(self.directory, draft.name + SUFFIX)
                os.chmod(staged, 0o644)
                former = f"{staged}.former" if os.path.lexists(path) else ""
                if former:
                    _keep(path, former)
                saved.append((path, former))
                os.replace(staged, path)
        except BaseException:
            for path, former in reversed(saved):
                with contextlib.suppress(OSError):  # the first error is the one to be told
                    os.replace(former, path) if former else discard(path)
            raise
        finally:
            os.close(held)
        return [path for path, _ in saved]


def _bare(problem: Problem, key: str) -> str:
    """The message without the section and the key in front of it."""
    message = problem.message.partition("] ")[2] if problem.message.startswith("[") else problem.message
    return message.removeprefix(f"{key}: ")


def refuse_others(drafts: Sequence[Draft], target: str) -> None:
    """See that nothing would be overwritten, and that no two are called the same.

    Raises:
        DefinitionError: something would.
    """
    problems = []
    names = [draft.name for draft in drafts]
    for name in dict.fromkeys(names):
        path = os.path.join(target, name + SUFFIX)
        if names.count(name) > 1:
            problems.append(Problem(path, 0, "several would be called that", "import one of them alone, or rename it"))
        if os.path.lexists(path):
            problems.append(Problem(path, 0, "is there already", "--force replaces it, --to=DIR writes elsewhere"))
    if problems:
        raise DefinitionError(problems)


def check_writable(target: str) -> None:
    """See that the caller may write to *target*, before there is work.

    Raises:
        NsunitError: it is somebody else's, or read-only.
    """
    if why := refusal(target):
        hint = "use --to=DIR" if "read-only" in why else "run it as root, or use --to=DIR"
        raise NsunitError(f"'{printable(target)}' {why}", hint=hint)


def _keep(path: str, former: str) -> None:
    """Have what is at *path*, a link for one, at *former* as well: it comes back from there whatever the disk has left.

    Raises:
        OSError: it is a directory.
    """
    try:
        os.link(path, former, follow_symlinks=False)
    except OSError:  # a file system without hard links
        shutil.copy2(path, former, follow_symlinks=False)
