"""Check definitions without starting anything: as nsunit reads them, and as systemd would read the units."""

from __future__ import annotations

import os
import subprocess
import tempfile

from nsunit.bus.snapshot import Snapshot
from nsunit.core.apart import check_apart
from nsunit.core.limits import check as check_limits
from nsunit.core.prepare import used_by
from nsunit.core.sources import check_sources
from nsunit.core.unit_files import files_of_container, unit_files
from nsunit.deeds.inside import missing_inside
from nsunit.deeds.look.why import moot_limits
from nsunit.definition.load import load, load_any
from nsunit.definition.model import Definition
from nsunit.definition.search import is_defined
from nsunit.errors import DefinitionError, NsunitError, Problem
from nsunit.features import hooks, kinds_of
from nsunit.names import container_of_unit, service_name
from nsunit.plan.units import may_be_ignored, needed_containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nsunit.core.context import Context

    _Units = tuple[list[Problem], str, dict[str, str]]  # what was found, in which definition, and its unit files

_TOGETHER = 50
_SECONDS = 60  # systemd-analyze takes one at most, where the host is not busy
_REQUIRING = ("Requires", "Requisite", "BindsTo")


def verify(context: Context, names: Sequence[str]) -> list[Problem]:
    """All problems with the definitions of *names*: syntax, values, missing sources, and systemd-analyze verify's."""
    found: list[list[Problem]] = []
    batch: list[_Units] = []
    context = context.with_bus(Snapshot(context.bus)) if len(names) > 1 else context
    for name in names:
        problems: list[Problem] = []
        found.append(problems)
        if of_kind := next(hooks(kinds_of(name), "networks.verify_kind"), None):
            problems += of_kind(context, name)
            continue
        try:
            definition = load_any(name, context.search, context.host)
        except DefinitionError as error:
            problems += error.problems
            if isinstance(error.partial, Definition) and not kinds_of(name):
                problems += _of_the_root(context, error.partial)
            continue
        path = definition.sources[0]
        if not kinds_of(name):
            problems += _of_the_root(context, definition)
        try:
            if not kinds_of(name):
                for look in hooks(used_by(context, definition), "networks.verify"):
                    look(context, definition)
                check_apart(context, definition)
            for look in hooks((*used_by(context, definition), *kinds_of(name)), "deeds.check_limits"):
                look(context, definition)
            if not kinds_of(name):
                for look in hooks(used_by(context, definition), "deeds.check"):
                    look(context, definition)
            problems += [*missing_units(context, definition), *_without_effect(context, definition)]
            texts = unit_files(context, name) if kinds_of(name) else files_of_container(context, definition)
            batch.append((problems, path, texts))
        except DefinitionError as error:
            problems += error.problems
        except NsunitError as error:
            problems += _as_problems(path, error)
        if len(batch) == _TOGETHER:
            _verify_all(batch, user=context.user)
            batch.clear()
    _verify_all(batch, user=context.user)
    return [problem for problems in found for problem in problems]


def _as_problems(path: str, error: NsunitError) -> list[Problem]:
    return [Problem(path, 0, line, error.hint) for line in error.message.splitlines()]


def _of_the_root(context: Context, definition: Definition) -> list[Problem]:
    """What is missing of what *definition* names on the host and, in the root that it names, inside."""
    problems: list[Problem] = []
    try:
        check_sources(definition)
    except DefinitionError as error:
        problems += error.problems
    return problems + missing_inside(context, definition)


def _without_effect(context: Context, definition: Definition) -> Sequence[Problem]:
    """Limits for which a start is refused, since systemd would leave them out."""
    try:
        if may_be_ignored(definition):
            check_limits(context, definition)
    except DefinitionError as error:
        return error.problems
    return ()


def missing_units(context: Context, definition: Definition) -> list[Problem]:
    """The units that *definition* cannot be started without and that systemd does not know.

    A start makes those of other containers, but not a boot.
    systemd-analyze would tell of them together with all that is wrong with other units of the host.
    """
    return [
        Problem(
            definition.sources[0],
            0,
            f"[Unit] {item.name}: '{unit}' is not there",
            "install what has it, enable the container that it is, or use Wants=, which does without",
        )
        for item in definition.properties_of("Unit")
        if item.name in _REQUIRING and isinstance(item.value, tuple)
        for unit in item.value
        if not _is_there(context, definition, unit)
    ]


def _is_there(context: Context, definition: Definition, unit: str) -> bool:
    """Whether *unit* is there when that of *definition* is started: at boot, where this is enabled."""
    name = container_of_unit(unit)
    if name and is_defined(name, context.search):
        return not context.paths.is_enabled(definition.name) or context.paths.is_enabled(name)
    return context.bus.get(unit, "LoadState").get("LoadState") != "not-found"


def warnings(context: Context, names: Sequence[str]) -> list[str]:
    """What is right in the definitions of *names* and still has no effect here, one line for each."""
    definitions = [load(name, context.search, context.host) for name in names if not kinds_of(name)]
    return [
        f"{item.name}: {note}"
        for item in definitions
        for note in (*moot_limits(context, item), *_does_not_return(context, item))
    ]


def _does_not_return(context: Context, definition: Definition) -> Iterator[str]:
    """After whose restart by systemd the container of *definition*, which ends with it, is not started again."""
    service = service_name(definition.name)
    for other in needed_containers(definition.container):
        try:
            needed = load(other, context.search, context.host)
        except NsunitError:
            continue  # that is told where it is verified itself
        restart = [text for key, text in needed.texts_of("Service") if key == "Restart"]
        upheld = [text for key, text in needed.texts_of("Unit") if key == "Upholds"]
        if restart and restart[-1] != "no" and service not in " ".join(upheld).split():
            yield (
                f"it ends with '{other}', and when systemd restarts that (Restart={restart[-1]}), it comes back only"
                f" where {other} has '[Unit] Upholds={service}'"
            )


def _verify_all(batch: Sequence[_Units], *, user: bool) -> None:
    """Add to the problems of each what systemd-analyze says: of all together, which is quick, and if it says any, each.

    Of a hundred units it takes half as long again as of one.
    """
    together = {name: text for _, _, texts in batch for name, text in texts.items()}
    try:
        if len(batch) > 1 and not _verify_units("", together, user=user):
            return
    except NsunitError:
        pass  # which each of them says
    for problems, path, texts in batch:
        try:
            problems += _verify_units(path, texts, user=user)
        except NsunitError as error:
            problems += _as_problems(path, error)


def _verify_units(path: str, texts: dict[str, str], *, user: bool) -> list[Problem]:
    with tempfile.TemporaryDirectory(prefix="nsunit-verify-") as directory:
        files = []
        for name, text in texts.items():
            files.append(os.path.join(directory, name))
            with open(files[-1], "w", encoding="utf-8") as file:
                os.fchmod(file.fileno(), 0o644)  # it complains of what all can write to, as the umask may have it
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
                encoding="utf-8",
                errors="replace",  # it quotes what is in files of others, and cuts lines at a number of bytes
                env={**os.environ, "SYSTEMD_LOG_COLOR": "0", "SYSTEMD_LOG_LOCATION": "0"},
                timeout=_SECONDS,
                check=False,
            )
        except FileNotFoundError:
            raise NsunitError("systemd-analyze is not installed", hint="install the package 'systemd'") from None
        except subprocess.TimeoutExpired:
            hint = "it looks at all that the units name: is a path on a file system that does not answer?"
            raise NsunitError(f"systemd-analyze did not end within {_SECONDS} s", hint=hint) from None
        said = [line.replace(directory + "/", "") for line in result.stderr.splitlines() if line.strip()]
        # It also complains about other units of the host that it happens to load.
        own = [line for line in said if any(name in line for name in texts)]
        return [Problem(path, 0, f"systemd-analyze verify: {line}") for line in own]
