"""Finding the definition that an operand names."""

from __future__ import annotations

from nsunit.definition.search import find, find_group, find_network
from nsunit.names import NETWORK_SUFFIX, check_any_name, is_group, is_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.search import Found


def checked(text: str) -> str:
    """Return the name to look up for *text*: a template, `web@`, is looked at by way of an instance."""
    return check_any_name(f"{text}verify" if text.endswith("@") else text)


def find_definition(name: str, context: Context) -> Found:
    """Return the files of a definition, be it of a container, a group, a pod or a network."""
    if is_network(name):
        return find_network(name.removesuffix(NETWORK_SUFFIX), context.search)
    return (find_group if is_group(name) else find)(name, context.search)
