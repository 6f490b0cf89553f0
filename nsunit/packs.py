"""Writes packs, of which `bytecode.preload` loads modules: `run.py packs` does so for all, when nsunit is installed.

A pack is marshalled: Python's magic number, then the names of modules that have to be there before, and a tuple of
name, source, its time and size, and code of each module, in the order in which they end to be loaded.  The code has no
documentation strings, which are an eighth of it, and none of the annotations of functions, which nobody reads when it
runs.
"""

from __future__ import annotations

import ast
import gc
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER, PathFinder
from marshal import dumps

import nsunit
from nsunit import bytecode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _frozen_importlib import ModuleSpec
    from collections.abc import Sequence
    from types import CodeType, ModuleType

# What each kind of process loads.
_COMMAND = ("nsunit.light", "nsunit.cli.main", "nsunit.core.context", "nsunit.bus.systemd")
_START = ("nsunit.cli.lifecycle.start", "nsunit.definition.keys")
_STARTING = _COMMAND + _START
_STOP = ("nsunit.cli.lifecycle.stop", "nsunit.deeds.kill_now", "nsunit.definition.signals")
_STOPPING = _COMMAND + _STOP
_HELPER = ("nsunit.setup.main", "nsunit.setup.libc")
_RARE = (*_HELPER, "nsunit.features")


def _of(feature: str, *parts: str) -> tuple[str, ...]:
    return tuple(f"nsunit.features.{feature}.{part}" for part in parts)


_ATTACH = ("nsunit.light", *_of("network", "program", "wire.links", "wire.nft"))
_OCI = ("nsunit.oci.main",)


def _of_oci(*verbs: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    return {f"oci.{verb}": (_OCI, (f"nsunit.oci.verbs.{verb}",)) for verb in verbs}


def _of_systemd(*modules: str) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Its directives, by the module that has them: of [Slice], and of what else definitions use."""
    names = [f"definition.systemd.{module}" for module in modules]
    return {name: (_STARTING, (f"nsunit.{name}",)) for name in names}


# By the name of a pack, what is loaded before it, and what is imported for it.  Those of features are asked for by the
# name of the part that is loaded first.
PACKS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "command": ((), _COMMAND),
    "cli.lifecycle": (_COMMAND, ("nsunit.cli.lifecycle",)),
    "cli.session": (_COMMAND, ("nsunit.cli.session",)),
    "start": (_COMMAND, _START),
    **_of_systemd("control", "service", "exec", "unit"),
    "stop": (_COMMAND, _STOP),
    "exec": (_COMMAND, ("nsunit.cli.session.execute", "nsunit.setup.libc")),
    "helper": ((), _HELPER),
    "features": (_HELPER, ("nsunit.features",)),
    "features.network.keys": (_STARTING, _of("network", "keys") + _of("names", "values")),
    "features.network.deeds": (
        _STARTING + _of("network", "keys") + _of("names", "values"),
        _of("network", "deeds", "plan", "foreign", "setup") + _of("names", "deeds", "plan"),
    ),
    "features.network.setup": (_RARE, _of("network", "setup")),
    "features.network.program": ((), _ATTACH[:2]),
    "features.network.ends": (_STOPPING, _of("network", "ends")),
    "features.network.wire.links": (_ATTACH[:2], _ATTACH[2:]),
    "features.network.wire.conntrack": (_ATTACH, _of("network", "wire.conntrack")),
    "features.images.keys": (_STARTING, _of("images", "keys")),
    "features.images.obtain": (
        _STARTING + _of("images", "keys"),
        _of("images", "obtain", "deeds", "plan") + _of("output", "plan"),
    ),
    "features.images.setup": (_RARE, _of("images", "setup")),
    "features.output.setup": (_RARE, _of("output", "setup")),
    "features.volumes.values": (_STARTING, _of("volumes", "values")),
    "features.volumes.keys": (_STARTING, _of("volumes", "keys")),
    "features.volumes.deeds": (_STARTING + _of("volumes", "keys"), _of("volumes", "deeds", "plan")),
    "features.volumes.setup": (_RARE, _of("volumes", "setup")),
    "features.health.keys": (_STARTING, _of("health", "keys")),
    "features.health.deeds": (_STARTING + _of("health", "keys"), _of("health", "deeds", "plan")),
    "features.health.setup": (_RARE, _of("health", "setup")),
    "features.binds.keys": (_STARTING, _of("binds", "keys", "plan")),
    "features.binds.setup": (_RARE, _of("binds", "setup")),
    "features.environment_files.keys": (
        _STARTING,
        _of("environment_files", "keys", "deeds", "plan"),
    ),
    "oci": ((), _OCI),
    **_of_oci("create", "start", "run", "execute", "state", "kill", "delete", "ps"),
    "oci.scope": (_OCI, ("nsunit.oci.cgroup.scope",)),
}

_FLAGS = annotations.compiler_flag  # class bodies have theirs, of which records make fields
_Packed = tuple[str, str, int, int, "CodeType"]


class _Recorder:
    """Notes which modules of nsunit are loaded, in the order in which that ends."""

    def __init__(self) -> None:
        self.loaded: list[ModuleType] = []

    def find_spec(self, name: str, path: Sequence[str] | None = None, _target: object = None) -> ModuleSpec | None:
        """What importlib finds, with a loader that notes it."""
        spec = PathFinder.find_spec(name, path) if name.startswith("nsunit.") else None
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def noted(module: ModuleType) -> None:
            execute(module)
            self.loaded.append(module)

        spec.loader.exec_module = noted  # type: ignore[method-assign]
        return spec


def _loaded(before: tuple[str, ...], names: tuple[str, ...]) -> tuple[tuple[str, ...], list[ModuleType]]:
    """The names of all modules that *before* load, and what *names* load after them."""
    own = [name for name in sys.modules if name.startswith("nsunit.") and name not in (__name__, bytecode.__name__)]
    for name in own:
        del sys.modules[name]
        vars(nsunit).pop(name.removeprefix("nsunit."), None)  # where `from nsunit import` would find it
    recorder = _Recorder()
    sys.meta_path.insert(0, recorder)
    try:
        for name in before:
            __import__(name)
        there = tuple(module.__name__ for module in recorder.loaded)
        recorder.loaded.clear()
        for name in names:
            __import__(name)
    finally:
        sys.meta_path.remove(recorder)
    return there, recorder.loaded


def _packed(module: ModuleType) -> _Packed:
    path = str(module.__file__)
    with open(path, "rb") as file:
        status, text = os.stat(file.fileno()), file.read()
    code = compile(_bare(text), path, "exec", flags=_FLAGS, dont_inherit=True, optimize=2)
    return module.__name__, path.removeprefix(f"{bytecode.TOP}/"), int(status.st_mtime), status.st_size, code


def _bare(text: bytes) -> ast.Module:
    """The module with the source *text*, without annotations of functions, and the import that is about them.

    Places in it are lines alone: a tenth of a pack would be columns, which nothing but marks in a traceback needs.
    """
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.expr, ast.stmt)):
            node.col_offset, node.end_col_offset, node.end_lineno = -1, -1, node.lineno
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            node.returns = None
        elif isinstance(node, ast.arg):
            node.annotation = None
    tree.body = [node for node in tree.body if not (isinstance(node, ast.ImportFrom) and node.module == "__future__")]
    return tree


def write(name: str) -> None:
    """Write the pack *name* of `PACKS`.

    Raises:
        OSError: it cannot be written.
    """
    before, modules = _loaded(*PACKS[name])
    content = MAGIC_NUMBER + dumps((before, tuple(map(_packed, modules))))
    path = bytecode.pack_path(name)
    with open(f"{path}.new", "wb") as file:
        file.write(content)
    os.replace(f"{path}.new", path)


def main(_argv: list[str]) -> int:
    """Write all packs."""
    gc.disable()
    for name in PACKS:
        write(name)
    return 0
