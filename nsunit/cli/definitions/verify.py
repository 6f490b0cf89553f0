"""The verb `verify`."""

from __future__ import annotations

import sys

from nsunit.cli import warn
from nsunit.cli.definitions.lookup import all_definitions, of_template
from nsunit.cli.output import plural, print_json
from nsunit.deeds.verify import verify as check
from nsunit.deeds.verify import warnings
from nsunit.definition.search import find, find_group, find_network, list_misnamed
from nsunit.errors import DefinitionError
from nsunit.names import NETWORK_SUFFIX, is_group, is_network, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.cli.verbs import Invocation
    from nsunit.core.context import Context
    from nsunit.errors import Problem


def verify(invocation: Invocation) -> int:
    """The verb `verify`; without a name, all definitions."""
    context = invocation.context()
    for path in () if invocation.operands or invocation.flag("quiet") else list_misnamed(context.search):
        warn(f"warning: {printable(path)} is left out, as nothing can be called that; see nsunit.container(5), NAMES")
    names = [of_template(name, context) for name in invocation.operands or all_definitions(context)]
    problems = check(context, names)
    if invocation.flag("json"):
        print_json([_with_file(context, problem) if problem.path in names else problem for problem in problems])
        return 1 if problems else 0
    if problems:
        raise DefinitionError(problems)
    if not invocation.flag("quiet"):
        for warning in warnings(context, names):
            warn(f"warning: {warning}")
        sys.stdout.write(f"{plural(len(names), 'definition')} checked, nothing wrong\n")
    return 0


def _with_file(context: Context, problem: Problem) -> Problem:
    """*problem*, which is about all of the definition of that name, with the file in place of the name."""
    name, search = problem.path, context.search
    if is_network(name):
        return problem.replace(path=find_network(name.removesuffix(NETWORK_SUFFIX), search).main)
    return problem.replace(path=(find_group if is_group(name) else find)(name, search).main)
