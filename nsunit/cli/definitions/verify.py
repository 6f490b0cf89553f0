"""The verb `verify`."""

from __future__ import annotations

import sys

from nsunit.cli import warn
from nsunit.cli.definitions.lookup import all_definitions, of_template
from nsunit.cli.output import plural, print_json
from nsunit.deeds.verify import verify as check
from nsunit.deeds.verify import warnings
from nsunit.definition.search import list_misnamed
from nsunit.errors import DefinitionError
from nsunit.names import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation


def verify(invocation: Invocation) -> int:
    """The verb `verify`; without a name, all definitions."""
    context = invocation.context()
    for path in () if invocation.operands or invocation.flag("quiet") else list_misnamed(context.search):
        warn(f"warning: {printable(path)} is left out, as nothing can be called that; see nsunit.container(5), NAMES")
    names = [of_template(name, context) for name in invocation.operands or all_definitions(context)]
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
