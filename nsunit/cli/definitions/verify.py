"""The verb `verify`."""

from __future__ import annotations

import sys

from nsunit.cli import warn
from nsunit.cli.definitions.lookup import of_template
from nsunit.cli.output import plural, print_json
from nsunit.deeds.verify import verify as check
from nsunit.deeds.verify import warnings
from nsunit.definition.search import list_groups, list_names, list_networks, list_pods, list_templates
from nsunit.errors import DefinitionError
from nsunit.names import NETWORK_SUFFIX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def verify(invocation: Invocation) -> int:
    """The verb `verify`; without a name, all definitions."""
    context = invocation.context()
    names = [of_template(name, context) for name in invocation.operands]
    if not names:
        names = [
            *(name + NETWORK_SUFFIX for name in list_networks(context.search)),
            *list_groups(context.search),
            *list_pods(context.search),
            *list_names(context.search),
            *(of_template(f"{prefix}@", context) for prefix in list_templates(context.search)),
        ]
    problems = check(context, names)
    if invocation.flag("json"):
        print_json(problems)
        return 1 if problems else 0
    if problems:
        raise DefinitionError(problems)
    if not invocation.flag("quiet"):
        for warning in warnings(context, names):
            warn(f"warning: {warning}")
        sys.stdout.write(f"{plural(len(names), 'definition')} checked, nothing wrong\n")
    return 0
