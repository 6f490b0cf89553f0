"""A definition while it is edited."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
import tempfile

from nsunit.cli.definitions.editor import run_editor
from nsunit.core.context import Context
from nsunit.deeds.verify import verify
from nsunit.definition import read_regular
from nsunit.definition.search import SearchPath
from nsunit.dropins.definitions import EDITED
from nsunit.dropins.files import make_directory
from nsunit.errors import DefinitionError, NsunitError
from nsunit.names import printable
from nsunit.storage.files import refusal
from nsunit.storage.lock import hold

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.errors import Problem


class Draft:
    """A copy of a definition's file, in a directory beside it from which it can be renamed into place.

    The directory's name starts with a dot, which no definition's does; in it the draft has the final name, so that
    the loader takes it for the definition, and an editor for a file of that kind.
    """

    def __init__(self, name: str, target: str, text: bytes, *, beginning: str = EDITED) -> None:
        self.name = name
        self.beginning = beginning
        self.is_edited = False
        self.target = target
        self.text = text
        self.before = read_regular(target) if os.path.exists(target) else None

    def __enter__(self) -> Draft:
        self.folder = os.path.dirname(self.target)
        is_drop_in = self.folder.endswith(".nsunit.d")
        self.top = os.path.dirname(self.folder) if is_drop_in else self.folder
        self._check_owner()
        make_directory(self.top)
        self.directory = tempfile.mkdtemp(prefix=self.beginning, dir=self.top)
        inner = os.path.join(self.directory, os.path.basename(self.folder)) if is_drop_in else self.directory
        self.path = os.path.join(inner, os.path.basename(self.target))
        self._held = -1
        try:
            self._held = hold(self.directory)
            os.makedirs(inner, exist_ok=True)
            self._write(self.text)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _write(self, text: bytes) -> None:
        """Have *text* in the draft.

        Raises:
            NsunitError: there is no room for it, for instance.
        """
        try:
            with open(self.path, "wb") as file:
                file.write(text)
        except OSError as error:
            raise NsunitError(f"cannot write '{printable(self.target)}': {error.strerror}") from error

    def __exit__(self, error: object = None, *_error: object) -> None:
        if error is not None and self.is_edited and os.path.exists(self.path):
            self.keep()
        shutil.rmtree(self.directory)
        if self._held >= 0:
            os.close(self._held)

    def _check_owner(self) -> None:
        """Refuse what the caller could not give back to its owner, before there is anything to lose.

        Raises:
            NsunitError: the file, or the directory, is somebody else's, or read-only.
        """
        if why := refusal(self.top):
            raise NsunitError(f"'{printable(self.top)}' {why}", hint=None if "read-only" in why else "have root do it")
        if self.before is None or os.geteuid() in (0, os.stat(self.target).st_uid):
            return
        number = os.stat(self.target).st_uid
        owner = next((entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == number), str(number))
        raise NsunitError(
            f"'{printable(self.target)}' belongs to '{owner}', so it is not yours to change",
            hint="add to it with --drop-in=NAME, or have it given to you: chown",
        )

    def fill(self, text: bytes | None) -> bool:
        """Take the new *text*, or let the user edit; tell whether anything has changed."""
        if text is not None:
            self._write(text)
            return self._is_changed()
        try:
            run_editor(self.path)
        except NsunitError:
            raise
        except BaseException:  # a lost connection ends us and the editor, which may have saved something
            self.is_edited = os.path.exists(self.path) and self._is_changed()
            raise
        self.is_edited = self._is_changed()
        return self.is_edited

    def _is_changed(self) -> bool:
        now = read_regular(self.path)
        return now != self.before and not (self.before is None and now == self.text)

    def check(self, context: Context) -> None:
        """Check the definition as it would be with the draft in place.

        Raises:
            DefinitionError: with the final path in it, not the draft's.
        """
        search = SearchPath((self.directory, *context.search.directories))
        problems = verify(Context(search, context.paths, user=context.user), [self.name])
        if problems:
            raise self.of_target(problems)

    def of_target(self, problems: Sequence[Problem]) -> DefinitionError:
        """An error with *problems* as they are told of the target, without the draft's own directory in them."""
        return DefinitionError(
            [
                problem.replace(
                    path=self.target if problem.path == self.path else problem.path,
                    hint=problem.hint and problem.hint.replace(f"{self.directory}, ", ""),
                )
                for problem in problems
            ]
        )

    def keep(self) -> None:
        """Save the draft beside the target, where no definition is looked for."""
        kept = os.path.join(self.top, os.path.basename(self.target) + ".rejected")
        os.replace(self.path, kept)
        sys.stderr.write(f"nsunit: nothing was changed; your text is kept in {printable(kept)}\n")

    def install(self) -> None:
        """Put the draft in place of the target, with its owner and mode, in one step.

        Raises:
            NsunitError: somebody else has changed the file meanwhile.
        """
        now = read_regular(self.target) if os.path.exists(self.target) else None
        if now != self.before:
            self.is_edited = True
            raise NsunitError(f"'{printable(self.target)}' was changed meanwhile", hint="edit it again")
        make_directory(self.folder)
        with open(self.path, "rb+") as file:
            if self.before is None:
                os.fchmod(file.fileno(), 0o644)
            else:
                status = os.stat(self.target)
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
                os.fchmod(file.fileno(), status.st_mode & 0o7777)
            os.fsync(file.fileno())
        os.replace(self.path, self.target)
        directory = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
