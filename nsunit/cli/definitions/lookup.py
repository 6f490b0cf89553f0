"""Finding the definition that an operand names."""

from __future__ import annotations

from nsunit.definition.load import default_instance
from nsunit.definition.search import (
    find,
    find_group,
    find_network,
    list_groups,
    list_names,
    list_networks,
    list_pods,
    list_templates,
)
from nsunit.names import NETWORK_SUFFIX, check_any_name, is_group, is_network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.core.context import Context
    from nsunit.definition.search import Found


ANY_INSTANCE = "1"  # good for a name as well as for a number


def checked(text: str) -> str:
    """Return the name to look up for *text*: a template, `web@`, is looked at by way of an instance."""
    return check_any_name(text + ANY_INSTANCE if text.endswith("@") else text)


def of_template(text: str, context: Context) -> str:
    """The same, by way of the instance that the template names in DefaultInstance=, if it does."""
    name = checked(text)
    return default_instance(name, context.search, context.host) or name if text.endswith("@") else name


def find_definition(name: str, context: Context) -> Found:
    """Return the files of a definition, be it of a container, a group, a pod or a network."""
    if is_network(name):
        return find_network(name.removesuffix(NETWORK_SUFFIX), context.search)
    return (find_group if is_group(name) else find)(name, context.search)


def all_definitions(context: Context) -> list[str]:
    """Return what all definitions are called as operands, those of templates `web@`."""
    return [
        *(name + NETWORK_SUFFIX for name in list_networks(context.search)),
        *list_groups(context.search),
        *list_pods(context.search),
        *list_names(context.search),
        *(f"{prefix}@" for prefix in list_templates(context.search)),
    ]
