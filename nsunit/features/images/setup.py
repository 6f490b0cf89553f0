"""What the helper does for images beside what it does for all."""

from __future__ import annotations

import os

from nsunit.setup import files
from nsunit.setup.build import Build
from nsunit.setup.operation import Operation


class MakeDirectory(Operation):
    """Make the directory *path* in the root where it is missing; it is the payload's user's then."""

    __slots__ = ("path",)
    keyword = "make-directory"
    path: str

    def describe(self) -> str:
        """See Operation."""
        return f"make the directory '{self.path}'"

    def execute(self, build: Build) -> None:
        """Look it up once; what is missing is made by descriptor."""
        try:
            os.close(files.open_in_root(build.root_fd, self.path, os.O_PATH))
            return
        except FileNotFoundError:
            fd = files.open_directory(build.root_fd, self.path)
        try:
            os.chown(".", build.uid, build.gid, dir_fd=fd)
        finally:
            os.close(fd)
