"""Volumes as archives, by the system's tar(1): owners are those inside, by number."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import signal
import subprocess

from nsunit.core.jobs import stop_what_is_left
from nsunit.core.programs import directory_with
from nsunit.errors import NsunitError, UsageError
from nsunit.features.volumes.look import check_name, directory_of
from nsunit.features.volumes.setup import DATA, NEW, begin, finish, is_current, is_filled
from nsunit.features.volumes.store import Store
from nsunit.names import printable
from nsunit.storage import files
from nsunit.storage.sparse import seems_empty
from nsunit.storage.tree import below

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context

_NUMBERS = ("--numeric-owner", "--acls", "--xattrs", "--xattrs-include=user.*", "--xattrs-include=security.capability")
_CHANGED = 1  # tar's status where files were written to meanwhile
_COMPRESSED = {b"\x1f\x8b": "--gzip", b"\x28\xb5\x2f\xfd": "--zstd", b"\xfd7zXZ\0": "--xz", b"BZh": "--bzip2"}
# An archive is somebody else's: its unpacking can write to the volume alone.
_CONFINED = (
    *("ProtectSystem=strict", "ProtectHome=read-only", "PrivateNetwork=yes", "PrivateIPC=yes", "NoNewPrivileges=yes"),
    *("DevicePolicy=closed", "MemoryMax=1G", "TasksMax=16"),
    "CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_FSETID CAP_SETFCAP",
)
_DESCRIPTION = "Unpack a volume for nsunit"
_CHUNK = 1 << 18
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def refuse_users(context: Context) -> None:
    """What is in a user's volumes belongs to ids that the user has in containers only.

    Raises:
        UsageError: the containers are those of a user.
    """
    if context.user:
        hint = "have 'nsunit --user exec' run tar in a container that has the volume"
        raise UsageError("owners inside are known in containers only, for a user", hint=hint)


def export_volume(context: Context, name: str, output: int, target: str = "standard output") -> bool:
    """Write what is in volume *name* to the descriptor *output* of *target*; False if files were written to meanwhile.

    Raises:
        NsunitError: tar failed, and has said why.
        BrokenPipeError: nobody reads what it writes.
    """
    refuse_users(context)
    place = directory_of(context, name)
    sparse = () if _seems_empty(place) else ("--sparse",)
    argv = [_tar(), "--create", *sparse, "--one-file-system", *_NUMBERS, f"--directory={place}", "--file=-", "."]
    with files.Named(argv[0]):
        status = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output, check=False).returncode
    if status == -signal.SIGPIPE:
        raise BrokenPipeError
    if status not in (0, _CHANGED):
        text = f"the volume '{printable(name)}' could not be written to {target}: tar ended with status {status}"
        raise NsunitError(text)
    return status == 0


def _seems_empty(place: str) -> bool:
    """Whether a file in *place* has contents and no blocks of its own: with --sparse, tar(1) would write zeros.

    So it is on erofs (findings/erofs-tar-sparse.sh), and on some file systems of FUSE's.  Holes are written then.
    """
    try:
        return _has_hidden(place) or any(_has_hidden(directory) for _, directory in below(place))
    except OSError:
        return True  # tar tells what is wrong, if that is for it to read; what is not known is read


def _has_hidden(directory: str) -> bool:
    with os.scandir(directory) as entries:
        return any(seems_empty(entry.path, entry.stat(follow_symlinks=False)) for entry in entries)


def import_volume(context: Context, name: str, archive: int) -> None:
    """Make the volume *name* of the *archive* behind a descriptor.

    Raises:
        NsunitError: it is there already, or tar failed and has said why; nothing was made.
    """
    refuse_users(context)
    store = Store(context)
    path = store.path_of(check_name(name))
    files.make_private_directory(store.path)
    with store.lock():
        store.discard(path)  # of one that was killed
    directory, is_new = -1, False
    try:
        with files.Named(path):
            directory = _take(path)
            if is_filled(directory):
                hint = f"'nsunit volume rm {name}' first removes what is in it"
                raise NsunitError(f"there is something in the volume '{name}' already", hint=hint)
            is_new = True
            begin(directory)
        _unpack(context, f"{path}/{NEW}", archive, directory)
        with files.Named(path):
            finish(directory)
        store.sync()
    except BaseException:
        with contextlib.suppress(OSError):  # the first one is to be told
            if is_new and is_filled(directory):
                os.rename(DATA, NEW, src_dir_fd=directory, dst_dir_fd=directory)
        if directory >= 0:
            os.close(directory)
        with contextlib.suppress(OSError):
            store.discard(path)
        raise
    os.close(directory)


def _take(path: str) -> int:
    """A locked descriptor of the directory *path*, which is made where there is none.

    Raises:
        NsunitError: somebody fills it.
    """
    while True:
        files.make_private_directory(path)
        try:
            directory = os.open(path, _DIRECTORY)
        except FileNotFoundError:
            continue  # somebody has just discarded it
        try:
            fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_current(path, directory):
                return directory
        except BlockingIOError:
            os.close(directory)
            name = os.path.basename(path)
            raise NsunitError(f"the volume '{name}' is just being filled by a start", hint="try again") from None
        except OSError:
            os.close(directory)
            raise
        os.close(directory)


def _unpack(context: Context, place: str, archive: int, lock: int) -> None:
    """Have tar(1) unpack *archive* into *place*.

    If we are killed the archive ends there, and tar with it: it reads from a pipe, even where the archive is a file.
    Whoever waits for that has *lock*.
    """
    tar = [_tar(), "--extract", "--same-owner", "--preserve-permissions", *_NUMBERS, *_decompression(archive)]
    limits = [f"--property={item}" for item in (*_CONFINED, f"ReadWritePaths={place}")]
    unit = f"nsunit-unpack-{os.urandom(6).hex()}.service"
    run = ["systemd-run", "--pipe", "--wait", "--collect", "--quiet", f"--unit={unit}", f"--description={_DESCRIPTION}"]
    argv = [*run, *limits, "--", *tar, f"--directory={place}", "--file=-"]
    reader, writer = os.pipe()
    started: subprocess.Popen[bytes] | None = None
    with open(writer, "wb", 0) as pipe:
        try:
            try:
                with files.Named(argv[0]):
                    started = subprocess.Popen(argv, stdin=reader, stdout=subprocess.DEVNULL, pass_fds=(lock,))
            finally:
                os.close(reader)
            _feed(archive, pipe)
            pipe.close()
            status = started.wait()
        except BaseException:
            # Whoever is interrupted takes it along, before the archive ends for tar, which would complain.
            stop_what_is_left(context, unit)
            if started:
                started.wait()
            raise
    if status:
        raise NsunitError(f"the archive could not be unpacked: tar ended with status {status}")


def _feed(archive: int, pipe: io.RawIOBase) -> None:
    """Write what *archive* has into *pipe*, until its reader has enough or has failed, which that tells itself."""
    try:
        while chunk := os.read(archive, _CHUNK):
            left = memoryview(chunk)
            while left:
                left = left[pipe.write(left) or 0 :]
    except BrokenPipeError:
        return


def _decompression(archive: int) -> list[str]:
    """What tar has to be told of an archive that is a file; it does not find out by itself on its standard input."""
    try:
        start = os.pread(archive, 6, os.lseek(archive, 0, os.SEEK_CUR))
    except OSError:
        return []  # a pipe
    return [option for magic, option in _COMPRESSED.items() if start.startswith(magic)]


def _tar() -> str:
    directory = directory_with(("tar",))
    if not directory:
        raise NsunitError("tar is not installed", hint="install the package 'tar'")
    return f"{directory}/tar"
