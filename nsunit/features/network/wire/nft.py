"""nftables through nft's JSON interface: no text is ever put together, and a transaction is all or nothing.

Changes are made by libnftables itself, which nft is a command line of: a process for it takes longer than the kernel.
"""

from __future__ import annotations

import _ctypes
import os

from nsunit import jsontext
from nsunit.errors import NsunitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PROGRAM = "nft"
_LIBRARY = "libnftables.so.1"
_JSON = 1 << 4  # NFT_CTX_OUTPUT_JSON, of what is told and what is said
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def apply(items: list[dict[str, Any]]) -> None:
    """Carry out *items* as one transaction.

    Raises:
        NsunitError: nft is missing, or refused it; nothing has changed then.
    """
    if items:
        text = jsontext.dumps({"nftables": items})
        library = _library()
        if library is None:
            _run(["-j", "-f", "-"], text)
        else:
            _carry_out(library, text)


class _Integer(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "i"


class _Pointer(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "P"


class _Text(_ctypes._SimpleCData):  # type: ignore[type-arg]
    _type_ = "z"


def _library() -> int | None:
    """The library, None where there is none but nft may be, or say that it is missing."""
    try:
        return _ctypes.dlopen(_LIBRARY, 0)
    except OSError:
        return None


def _function(library: int, name: str, result: type[Any]) -> Any:
    """A function of libnftables(3).  The C half of ctypes, as in nsunit.setup.libc."""
    kind = type(name, (_ctypes.CFuncPtr,), {"_flags_": _ctypes.FUNCFLAG_CDECL, "_restype_": result})
    return kind(_ctypes.dlsym(library, name))


def _carry_out(library: int, text: str) -> None:
    context = _Pointer(_function(library, "nft_ctx_new", _Pointer)(_Integer(0)))
    try:
        _function(library, "nft_ctx_output_set_flags", _Integer)(context, _Integer(_JSON))
        _function(library, "nft_ctx_buffer_output", _Integer)(context)
        _function(library, "nft_ctx_buffer_error", _Integer)(context)
        if _function(library, "nft_run_cmd_from_buffer", _Integer)(context, text.encode()):
            said = _function(library, "nft_ctx_get_error_buffer", _Text)(context) or b""
            lines = said.decode("utf-8", "replace").strip().splitlines()
            raise NsunitError(f"nft: {lines[0] if lines else 'it does not say why'}")
    finally:
        _function(library, "nft_ctx_free", _Integer)(context)


def check(items: list[dict[str, Any]]) -> None:
    """See that nft and the kernel could carry out *items*; nothing is changed.

    Raises:
        NsunitError: they could not.
    """
    _run(["-c", "-j", "-f", "-"], jsontext.dumps({"nftables": items}))


def listed(name: str) -> list[dict[str, Any]]:
    """All that is in the tables called *name*, of the families inet and bridge; nothing of one that is missing.

    Raises:
        NsunitError: nft is missing or failed.
    """
    found: list[dict[str, Any]] = []
    tables = [
        entry["table"] for entry in jsontext.loads(_run(["-j", "list", "tables"], ""))["nftables"] if "table" in entry
    ]
    for there in tables:
        if there["name"] == name and there["family"] in ("inet", "bridge"):
            found += table(there["family"], name)
    return found


def table(family: str, name: str) -> list[dict[str, Any]]:
    """All that is in one table.

    Raises:
        NsunitError: nft is missing or failed.
    """
    return list(jsontext.loads(_run(["-j", "-a", "list", "table", family, name], ""))["nftables"])


def _run(arguments: list[str], text: str) -> str:
    """Run nft and return what it prints.  The module subprocess would take longer to import than nft to run."""
    given, told, complaint = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("stdin", "stdout", "stderr"))
    try:
        os.pwrite(given, text.encode(), 0)
        actions = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((given, told, complaint))]
        try:
            pid = os.posix_spawnp(_PROGRAM, [_PROGRAM, *arguments], _ENVIRONMENT, file_actions=actions)
        except FileNotFoundError:
            raise NsunitError("nft is not installed", hint="install the package 'nftables'") from None
        _, status = os.waitpid(pid, 0)
        if status:
            lines = _content(complaint).strip().splitlines()
            raise NsunitError(f"nft: {lines[0] if lines else f'wait status {status}'}")
        return _content(told)
    finally:
        for fd in (given, told, complaint):
            os.close(fd)


def _content(fd: int) -> str:
    return os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8", "replace")
