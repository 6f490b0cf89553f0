"""Check definitions without starting anything: as nsunit reads them, and as systemd would read the units."""

from __future__ import annotations

import os
import subprocess
import tempfile

from nsunit.definition.group import load_any
from nsunit.definition.load import load
from nsunit.definition.search import find_network
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.manager.group import check_apart
from nsunit.manager.prepare import check_sources
from nsunit.manager.render import unit_files
from nsunit.names import NETWORK_SUFFIX, is_group, is_network, is_pod

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from nsunit.manager.context import Context


def verify(context: Context, names: Sequence[str]) -> list[Problem]:
    """All problems with the definitions of *names*: syntax, values, missing sources, and systemd-analyze verify's."""
    problems: list[Problem] = []
    for name in names:
        if is_network(name):
            problems += _network_problems(context, name.removesuffix(NETWORK_SUFFIX))
            continue
        try:
            definition = load_any(name, context.search, context.host)
        except DefinitionError as error:
            problems += error.problems
            continue
        path = definition.sources[0]
        try:
            if not (is_group(name) or is_pod(name)):
                check_sources(definition)
                if definition.container.connections:
                    from nsunit.manager.networks import check_defined

                    check_defined(context, definition.container)
                check_apart(context, definition)
                if context.user:
                    from nsunit.manager.rootless import check_limits

                    check_limits(context, definition)
            problems += _verify_units(path, unit_files(context, name), user=context.user)
        except DefinitionError as error:
            problems += error.problems
        except NsunitError as error:
            problems += [Problem(path, 0, line, error.hint) for line in error.message.splitlines()]
    return problems


def _network_problems(context: Context, name: str) -> list[Problem]:
    from nsunit.manager.networks import check

    path = find_network(name, context.search).main
    try:
        check(context, name)
    except DefinitionError as error:
        return list(error.problems)
    except NsunitError as error:
        return [Problem(path, 0, error.message, error.hint)]
    return []


def warnings(context: Context, names: Sequence[str]) -> list[str]:
    """What is right in the definitions of *names* and still has no effect here, one line for each."""
    from nsunit.manager.why import moot_limits

    definitions = [load(name, context.search, context.host) for name in names if not _is_no_container(name)]
    return [f"{item.name}: {note}" for item in definitions for note in moot_limits(context, item)]


def _is_no_container(name: str) -> bool:
    return is_group(name) or is_pod(name) or is_network(name)


def _verify_units(path: str, texts: dict[str, str], *, user: bool) -> list[Problem]:
    with tempfile.TemporaryDirectory(prefix="nsunit-verify-") as directory:
        files = []
        for name, text in texts.items():
            files.append(os.path.join(directory, name))
            with open(files[-1], "w", encoding="utf-8") as file:
                file.write(text)
        try:
            result = subprocess.run(
                [
                    "systemd-analyze",
                    *(["--user"] if user else []),
                    "verify",
                    "--man=no",
                    "--recursive-errors=no",
                    *files,
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "SYSTEMD_LOG_COLOR": "0", "SYSTEMD_LOG_LOCATION": "0"},
                timeout=60,
                check=False,
            )
        except FileNotFoundError:
            raise NsunitError("systemd-analyze is not installed", hint="install the package 'systemd'") from None
        said = [line.replace(directory + "/", "") for line in result.stderr.splitlines() if line.strip()]
        # It also complains about other units of the host that it happens to load.
        own = [line for line in said if any(name in line for name in texts)]
        return [Problem(path, 0, f"systemd-analyze verify: {line}") for line in own]
