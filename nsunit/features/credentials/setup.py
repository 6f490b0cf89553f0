"""The step that hands credentials over; loaded where a plan has it.

systemd has them in a directory that only the unit's user, root, can read ($CREDENTIALS_DIRECTORY of systemd.exec(5)).
The program may be somebody else, and its root has ids of its own, so they are copied: into a file system that is never
swapped out, belongs to the container and ends with it.
"""

from __future__ import annotations

import stat

from nsunit.setup import accounts, files, linux
from nsunit.setup import system as os
from nsunit.setup.build import Build
from nsunit.setup.files import refuse_kernel_file_systems
from nsunit.setup.operation import Operation

TARGET = "/run/host/credentials"  # where systemd's container interface has it
_STORE = "credentials"  # in the scratch file system that is the working directory
_ALL = "all"
_ATTRIBUTES = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
_DIRECTORY_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class Credentials(Operation):
    """Give *user* and *group*, the program's, what systemd has loaded for the unit, and *secrets* of it apart.

    A secret is `NAME:VARIABLE:MODE:USER:GROUP:TARGET`; it is a variable, or else a file.
    """

    __slots__ = ("user", "group", "secrets")
    keyword = "credentials"
    rest = "secrets"
    user: str
    group: str
    secrets: tuple[str, ...]

    def describe(self) -> str:
        """See Operation."""
        return "hand over the credentials"

    def mount_points(self) -> tuple[str, ...]:
        """See Operation."""
        return (TARGET, *(target for secret in self.secrets if (target := secret.split(":", 5)[5])))

    def prepare(self, build: Build) -> None:
        """Open them all; systemd makes no directory where there is none."""
        os.mkdir(_STORE)
        try:
            directory = os.open(os.variables.get("CREDENTIALS_DIRECTORY", ""), _DIRECTORY_FLAGS)
        except FileNotFoundError:
            return
        for name in os.listdir(directory):
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            build.keep((self, name), os.open(name, flags, dir_fd=directory))
        os.close(directory)

    def execute(self, build: Build) -> None:
        """Copy them, close the copy, and attach it, and each secret from it, in the root."""
        contents = self._contents(build)
        account = accounts.look_up(build.root_fd, self.user, self.group, ())
        store = linux.new_mount("ramfs", _ATTRIBUTES, (("mode", "0755"),))
        os.mkdir(_ALL, 0o700, dir_fd=store)
        directory = os.open(_ALL, _DIRECTORY_FLAGS, dir_fd=store)
        for name, content in contents.items():
            _write(directory, name, content, (account.uid, account.gid), 0o400)
        os.fchown(directory, account.uid, account.gid)
        os.fchmod(directory, 0o500)
        os.close(directory)
        targets = {str(number): secret for number, secret in enumerate(self.secrets)}
        for number, secret in targets.items():
            name, variable, mode, user, group, _ = secret.split(":", 5)
            if name not in contents:
                raise OSError(2, f"there is no credential '{name}'")
            if variable:
                build.environment[variable] = _text(name, contents[name])
                continue
            owner = accounts.look_up(build.root_fd, user or self.user, group or self.group, ())
            _write(store, number, contents[name], (owner.uid, owner.gid), int(mode, 8))
        linux.mount_setattr(store, _ATTRIBUTES | linux.MOUNT_ATTR_RDONLY, propagation=linux.MS_PRIVATE)
        # Only what is attached somewhere can be cloned; this place goes with the host's root.
        place = os.open(_STORE, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        linux.move_mount(store, place)
        os.close(place)
        _attach(build, store, _ALL, TARGET)
        for number, secret in targets.items():
            target = secret.split(":", 5)[5]
            if target:
                _attach(build, store, number, target)
        os.close(store)
        build.environment["CREDENTIALS_DIRECTORY"] = TARGET

    def _contents(self, build: Build) -> dict[str, bytes]:
        """Each credential by its name."""
        kept = [key for key in build.prepared if isinstance(key, tuple) and key[0] is self]
        found = {}
        for key in sorted(kept, key=lambda key: str(key[1])):
            with open(build.take(key), "rb") as file:
                found[str(key[1])] = file.read()
        return found


def _write(directory: int, name: str, content: bytes, owner: tuple[int, int], mode: int) -> None:
    files.write_new(directory, name, content)
    fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    os.fchown(fd, *owner)
    os.fchmod(fd, mode)
    os.close(fd)


def _attach(build: Build, store: int, name: str, target: str) -> None:
    source = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=store)
    make = files.open_directory if stat.S_ISDIR(os.fstat(source).st_mode) else files.open_file
    place = make(build.root_fd, target)
    refuse_kernel_file_systems(place, target)
    clone = linux.clone_tree(source)
    linux.move_mount(clone, place)
    for fd in (source, place, clone):
        os.close(fd)


def _text(name: str, content: bytes) -> str:
    """*content* as a variable has it, without the newline that ends a file, as $(cat FILE) has it."""
    if b"\0" in content:
        raise OSError(22, f"credential '{name}' has a NUL, which no variable can have")
    return os.fsdecode(content.removesuffix(b"\n"))
