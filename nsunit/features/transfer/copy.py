"""`cp`: files between the host and containers, and between containers.

Who reads and who writes are processes of their own, each where its files are, with a tar archive between them.  So no
path of a container is ever looked up by a process that sees the host's files as well.
"""

from __future__ import annotations

import contextlib
import os

from nsunit.errors import UsageError
from nsunit.features.images.unpack.archive import parts_of
from nsunit.features.images.unpack.worker import Worker, raise_first
from nsunit.features.transfer import ends
from nsunit.features.transfer.ends import End, end_of
from nsunit.features.transfer.pack import Packer
from nsunit.features.transfer.tree import Pipe, Stream, Tree
from nsunit.features.transfer.view import View
from nsunit.names import check_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import tarfile
    from collections.abc import Sequence

    from nsunit.core.context import Context

STDIN, STDOUT = 0, 1


def copy(
    context: Context, sources: Sequence[str], destination: str, *, archive: bool = False, follow: bool = False
) -> list[str]:
    """Copy *sources* to *destination*; returns what was left out, a line each.

    Owners are root inside of a container, and who calls this on the host; with *archive* all stay as they are, by
    number.  A source that is a link is copied as one unless *follow*.

    Raises:
        UsageError: that is no copy into or out of a container.
        NsunitError: something is not there, or cannot be written.
    """
    froms, to = [end_of(text) for text in sources], end_of(destination)
    _check(froms, to)
    warnings = []
    for source in froms:
        warnings += _copy(context, source, to, several=len(froms) > 1, archive=archive, follow=follow)
    return warnings


def _check(froms: Sequence[End], to: End) -> None:
    for end in (*froms, to):
        if not end.text:  # as an unset variable is, and not the directory that the caller is in
            raise UsageError("'' is no path", hint="name a file or directory; . is the one that you are in")
        if end.container:
            check_name(end.container)
    if not to.container and not all(item.container for item in froms):
        raise UsageError("none of the two is a container's", hint="cp NAME:/path DIR, or cp FILE NAME:/path")
    if len(froms) > 1 and (to.is_stream or any(item.is_stream for item in froms)):
        raise UsageError("- takes one source", hint="run cp once for each")


def _copy(context: Context, source: End, to: End, *, several: bool, archive: bool, follow: bool) -> list[str]:
    with contextlib.ExitStack() as stack:
        views: dict[str, View] = {}
        # By name, since each takes its lock: two who copy from each to the other never wait for each other.
        for name in sorted({to.container, source.container} - {""}):
            views[name] = stack.enter_context(View(context, name, writes=name == to.container))
        reading, writing = views.get(source.container), views.get(to.container)
        reader, writer = os.pipe() if not (source.is_stream or to.is_stream) else (STDIN, STDOUT)
        workers = []
        if not source.is_stream:
            kept = (writer, *(reading.fds if reading else ()))
            workers.append(Worker(lambda: _read(source, reading, writer, follow=follow), kept))
        if not to.is_stream:
            kept = (reader, *(writing.fds if writing else ()))
            owner = None if archive else (0, 0) if writing else (os.geteuid(), os.getegid())
            is_stream = source.is_stream
            work = _Write(to, writing, reader, owner, several=several, is_stream=is_stream)
            workers.append(Worker(work, kept))
        for fd in {reader, writer} - {STDIN, STDOUT}:
            os.close(fd)
        return raise_first([worker.result() for worker in workers], to_output=to.is_stream)


def _read(source: End, view: View | None, out: int, *, follow: bool) -> list[str]:
    opener = ends.in_container(view.enter()) if view else ends.on_host
    fd, name, called = ends.source(opener, source, follow=follow)
    packer = Packer(out)
    packer.tree(fd, name, called)
    packer.finish()
    return [f"{source.container or source.text}: {text}" for text in packer.warnings]


class _Write:
    """What the process does that writes."""

    def __init__(
        self, to: End, view: View | None, reader: int, owner: tuple[int, int] | None, *, several: bool, is_stream: bool
    ) -> None:
        self.to = to
        self.view = view
        self.reader = reader
        self.several = several
        self.is_stream = is_stream
        self.target: ends.Target | None = None
        self.top = 0  # components of the name of what is copied
        self.root = -1
        self.tree = Tree(-1, self._place, owner=owner, links=is_stream)

    def __call__(self) -> list[str]:
        """Do it; returns the warnings."""
        if self.view:
            self.root = self.view.enter()
        try:
            self.tree.apply(Stream(Pipe(self.reader, self.to.text)))
        except OSError as error:  # a full disk, above all, is told without a path
            raise OSError(error.errno, error.strerror, error.filename or self.to.text) from None
        return [f"{self.to.container or self.to.text}: {text}" for text in self.tree.warnings]

    def _place(self, entry: tarfile.TarInfo, parts: list[str]) -> list[str]:
        """How an entry is called below the target, which the first one decides about."""
        if self.target is None:
            self.target = self._begin(entry)
            self.top = len(parts)
        if self.is_stream:
            return [*parts_of(self.to.path), *parts]
        return parts if self.target.into else [self.target.name, *parts[self.top :]]

    def _begin(self, entry: tarfile.TarInfo) -> ends.Target:
        opener = ends.in_container(self.root) if self.view else ends.on_host
        found = ends.target(
            *(opener, self.to),
            is_directory=entry.isdir() or self.is_stream,
            several=self.several or self.is_stream,
        )
        self.tree.places.root = self.root if self.is_stream else found.fd
        return found
