"""Modules of this package from their cached bytecode, past what looks for modules in all directories and forms.

importlib does so in Python, for each module: a third of what it costs to load one.  Here it is known where one is.
What is not as expected (no cached file, one of another source or Python, one that is checked by its content) is left to
importlib, which then does, and says, what it always does.

Where it is known which modules will be needed, they come from a *pack*: one file, which `nsunit.packs` writes when
nsunit is installed, and half of the cost is gone.  One that is not of the sources as they are now is not used.
"""

# No import of __future__, which would be loaded for this module alone.
import posix
import sys
from _frozen_importlib import ModuleSpec, module_from_spec
from _frozen_importlib_external import MAGIC_NUMBER
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

_HEADER = 16  # PEP 552: the magic number, flags, and of the source the time and the size, each of 4 bytes
_BY_TIME = MAGIC_NUMBER + b"\0\0\0\0"
TOP = __file__.rsplit("/", 2)[0]  # where the package is


class Finder:
    """Finds and loads modules of the packages that are loaded already, as importlib's own classes do."""

    def __init__(self, package: str) -> None:
        self._prefix = f"{package}."
        self._ending = f".{sys.implementation.cache_tag}.pyc"
        self._found: dict[str, CodeType] = {}

    def find_spec(self, name: str, path: "Sequence[str] | None" = None, _target: object = None) -> ModuleSpec | None:
        """The spec of module *name* in the directory of its package, *path*."""
        if not path or not name.startswith(self._prefix):
            return None
        place = f"{path[0]}/{name.rpartition('.')[2]}"
        return self._spec(name, f"{place}.py", None) or self._spec(name, f"{place}/__init__.py", [place])

    def create_module(self, _spec: ModuleSpec) -> None:
        """One as it always is."""

    def exec_module(self, module: "ModuleType") -> None:
        """Execute what `find_spec` has read."""
        exec(self._found.pop(module.__name__), module.__dict__)  # noqa: S102 — that is what a loader does

    def _spec(self, name: str, source: str, below: list[str] | None) -> ModuleSpec | None:
        directory, _, file = source.rpartition("/")
        cached = f"{directory}/__pycache__/{file[:-3]}{self._ending}"
        code = _code(source, cached)
        if code is None:
            return None
        self._found[name] = code
        return self.spec(name, source, below, cached)

    def spec(self, name: str, source: str, below: list[str] | None, cached: str) -> ModuleSpec:
        """The spec of module *name*, of which all is known."""
        spec = ModuleSpec(name, self, origin=source)  # type: ignore[arg-type]
        spec.submodule_search_locations = below
        spec.cached = cached  # else importlib works it out
        spec.has_location = True
        return spec


def _code(source: str, cached: str) -> "CodeType | None":
    """The code in the file *cached*, if it is that of *source* as it is now."""
    try:
        fd = posix.open(cached, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return None
    try:
        status = posix.stat(source)
        content = posix.read(fd, posix.fstat(fd).st_size)
    except OSError:
        return None
    finally:
        posix.close(fd)
    time, size = (number & 0xFFFFFFFF for number in (int(status.st_mtime), status.st_size))
    if content[:_HEADER] != _BY_TIME + time.to_bytes(4, "little") + size.to_bytes(4, "little"):
        return None
    code: CodeType = loads(memoryview(content)[_HEADER:])
    return code


def is_plain() -> bool:
    """Whether bytecode is where it always is, and of the code as it stands."""
    return not sys.flags.optimize and sys.pycache_prefix is None


def use(package: str) -> None:
    """Have modules of *package*, which is loaded, found so, unless there is no cache where it always is.

    Where there is none yet, importlib makes directories with the caller's umask: no such that all could write to, or
    anybody would say what root executes next.
    """
    mask = posix.umask(0o077)
    posix.umask(mask)
    if not mask & 0o002:
        sys.dont_write_bytecode = True
    if is_plain():
        sys.meta_path.insert(0, Finder(package))


def pack_path(pack: str) -> str:
    """The file of the pack called *pack*."""
    return f"{TOP}/nsunit/__pycache__/{pack}.{sys.implementation.cache_tag}.pack"


def preload(pack: str) -> None:
    """Load the modules of the pack called *pack*, if it is there, and each of its sources is as it was.

    They are the same as imported ones, each after those that it imports, where those that were loaded before it when it
    was written are loaded now; else an import by one of them might find others that have not begun.
    """
    path = pack_path(pack)
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return
    content = posix.read(fd, posix.fstat(fd).st_size)
    posix.close(fd)
    if content[: len(MAGIC_NUMBER)] != MAGIC_NUMBER or not is_plain():
        return
    try:
        before, modules = loads(memoryview(content)[len(MAGIC_NUMBER) :])
    except (EOFError, TypeError, ValueError):
        return  # only a part of it has come to the disk
    del content  # here and below, what is not needed any more goes: 100 KiB of the helper's memory
    if not sys.modules.keys() >= set(before):
        return
    try:
        for _, source, time, size, _ in modules:
            status = posix.stat(f"{TOP}/{source}")
            if (int(status.st_mtime), status.st_size) != (time, size):
                return
    except OSError:
        return
    finder = Finder("nsunit")
    bodies = []
    for name, source, _, _, code in modules:
        if name not in sys.modules:
            source = f"{TOP}/{source}"
            below = [source.rpartition("/")[0]] if source.endswith("/__init__.py") else None
            module = sys.modules[name] = module_from_spec(finder.spec(name, source, below, path))
            bodies.append((code, module.__dict__))
    for name, *_ in modules:
        package, _, own = name.rpartition(".")
        setattr(sys.modules[package], own, sys.modules[name])
    bodies.reverse()
    del modules, code
    while bodies:
        exec(*bodies.pop())  # noqa: S102 — as above
