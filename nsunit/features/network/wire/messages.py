"""Requests for links of the kinds that few containers have: the only file that imports pyroute2.

Of pyroute2 it takes the message class, which knows how everything is encoded.  The package's own __init__ loads a
database, a DHCP client and more, so a bare package object stands in for it.
"""

from __future__ import annotations

import sys

from nsunit.errors import NsunitError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def link(flags: int, kind: int, attributes: list[tuple[str, object]]) -> bytes:
    """The message of type *kind* about a link with these *attributes*, encoded.

    Raises:
        NsunitError: pyroute2 is not installed.
    """
    message = _ifinfmsg()()
    message["attrs"] = [list(pair) for pair in attributes]
    message["header"]["type"] = kind
    message["header"]["flags"] = flags
    message["header"]["sequence_number"] = 1
    message.reset()
    message.encode()
    return bytes(message.data)


def _ifinfmsg() -> Any:
    specs = (finder.find_spec("pyroute2", None) for finder in sys.meta_path)
    spec = next((found for found in specs if found is not None), None)
    if spec is None or spec.submodule_search_locations is None:
        hint = "install python3-pyroute2, or 'pip install pyroute2'"
        raise NsunitError("the Python package 'pyroute2' is not installed", hint=hint)
    package: Any = type(sys)("pyroute2")
    package.__path__ = spec.submodule_search_locations
    before = sys.modules.get("pyroute2")
    sys.modules["pyroute2"] = package
    try:
        from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg  # its package object must be there before
    finally:
        if before is not None:
            sys.modules["pyroute2"] = before
    return ifinfmsg
