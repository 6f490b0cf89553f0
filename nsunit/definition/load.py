"""Definition files → one frozen Definition, or every problem in them at once."""

from __future__ import annotations

import errno

from nsunit import features
from nsunit.definition import container as container_section
from nsunit.definition import read_regular, search, setting, specifiers, syntax
from nsunit.definition.host import Host, host_facts
from nsunit.definition.model import Assignment, Container, Definition
from nsunit.definition.values import Alone, OfHost, Properties
from nsunit.definition.words import ValueProblem
from nsunit.errors import DefinitionError, Problem
from nsunit.names import UNIT_NAME_MAX, check_name, printable, service_name, slice_name
from nsunit.record import Record
from nsunit.units import Property, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from nsunit.definition.setting import Setting

    # section (or empty), key, value, where it comes from
    Given = tuple[str, str, str, str]

__all__ = ["Host", "host_facts", "load", "load_properties", "load_text"]

# Below this the helper itself is killed while it builds the container (a Python with its plan loaded, page tables and
# the overlay's dentries), and the user would see a start that fails for no reason he can find.
MEMORY_FLOOR = 16 << 20

TASKS_FLOOR = 4  # the helper's two halves, the payload, and a reaper if asked for
# Finding the nearest key takes a while; a file with more mistakes than this is none.
GUESSES_MAX = 50

# Written by `serialize` so that a stored copy still knows its files; systemd and `load` skip X- sections.
SOURCES_HEADER = "[X-Nsunit]"
SOURCE_KEY = "Source="
_TOLD = {"WatchdogSec": "that it is alive", "ReloadSignal": "when it has reloaded"}  # by the program itself


class Item(Record):
    """One effective assignment on its way into the Definition."""

    setting: Setting
    text: str
    value: object
    path: str
    line: int


class Loader:
    """Collects assignments and problems; `finish` makes the Definition.

    *whose* says what sections there can be, and *elsewhere* where what the others say belongs.
    """

    whose = "a container is no pod"
    elsewhere = {"Pod": "that is for NAME.pod.nsunit; a container joins it with [Container] Pod=NAME"}

    sections: tuple[str, ...] = syntax.SECTIONS
    has_network = True  # else it is known of others what network they have

    def __init__(self, name: str, host: Host) -> None:
        self.name = name
        self.host = host
        self.values = specifiers.table(name, host)
        self.problems: list[Problem] = []
        self.items: list[Item] = []
        self.failed: set[str] = set()
        self.is_whole = True  # else what is missing may be in a file, or a section, that cannot be read
        self._built: tuple[list[Item], Container] | None = None

    def read(self, path: str, data: bytes) -> None:
        """Take the assignments of one file."""
        assignments, problems = syntax.parse(path, data, self.sections)
        self.problems += problems
        self.is_whole &= not problems or any(section == "Container" for section, *_ in assignments)
        for section, key, text, line in assignments:
            self.assign(section, key, text, path, line)

    def add(self, assignments: Sequence[Given]) -> None:
        """Take assignments that do not come from a file; without a section the key may be `Section.Key`."""
        for section, key, text, origin in assignments:
            section, key = (section, key) if section else _section_of(key)
            problem = _one_line(key, text)
            if problem:
                self.problems.append(Problem(origin, 0, problem, "a value is one line of text"))
            else:
                self.assign(section, key, text.strip(" \t"), origin, 0)

    def assign(self, section: str, key: str, text: str, path: str, line: int) -> None:
        """Take one assignment; an empty *text* takes back what was assigned before."""
        if section in self.elsewhere:
            self.problem(path, line, section, f"{key}: {self.whose}", self.elsewhere[section])
            return
        said, hint = (section, key), ""
        if said in features.ALIASES:
            key, hint = features.ALIASES[said]
            section = "Container"
        found = setting.lookup(section, key)
        if found is None:
            self._unknown(section, key, path, line)
            return
        if found.refused is not None:
            reason, _, instead = found.refused.partition("; ")
            self.problem(path, line, section, f"{key}: {reason}", instead or "leave it out")
            return
        if found.since > self.host.systemd_version:
            message = f"{key} needs systemd {found.since}, {self.host.has}"
            self.problem(path, line, section, message, "leave it out")
            return
        if not text:
            self._reset(found)
            if (section, key) == ("Install", "WantedBy"):  # that nothing starts it at boot is something said
                self.items.append(Item(found, "", (), path, line))
            return
        self._parse(found, text, path, line, said, hint)

    def _parse(self, found: Setting, text: str, path: str, line: int, said: tuple[str, str], hint: str) -> None:
        section, key = said
        try:
            if found.specifiers:
                text = specifiers.expand(text, self.values)
            value = found.parse(text)
            if isinstance(value, OfHost):
                value = value.resolve(self.host)
            setting.check_version_of_value(key, text, self.host)
        except ValueProblem as problem:
            hint = hint or problem.hint or f"it takes {found.syntax}"
            self.problem(path, line, section, f"{key}: {problem.message}", hint)
            self.failed.add(found.key)
            return
        self.items = [item for item in self.items if not _is_replaced(item, found, value)]
        self.items.append(Item(found, text, value, path, line))

    def _unknown(self, section: str, key: str, path: str, line: int) -> None:
        from nsunit.definition.explain import refusal, unknown_key  # only when something is wrong

        known = (*syntax.SECTIONS, *self.sections)
        name = key if section in known else f"{section}.{key}"  # the dot is that of SECTION.KEY elsewhere
        refused = refusal(section, name)
        if refused:
            reason, _, instead = refused.partition("; ")
            self.problems.append(Problem(path, line, f"'{name}': {reason}", instead))
            return
        hint = unknown_key(section, key) if len(self.problems) < GUESSES_MAX else None
        self.problem(path, line, section, f"'{printable(key)}' is not a key", hint)

    def _reset(self, found: Setting) -> None:
        """Undo earlier assignments; for conditions those of all kinds (they fill one list, see systemd.unit(5))."""

        def same(other: Setting) -> bool:
            if found.property in ("Conditions", "Asserts"):
                return other.property == found.property
            return other.key == found.key

        section = found.section
        self.items = [item for item in self.items if item.setting.section != section or not same(item.setting)]

    def problem(self, path: str, line: int, section: str, message: str, hint: str | None) -> None:
        """Note a mistake."""
        self.problems.append(Problem(path, line, f"[{section}] {message}", hint))

    def finish(self, sources: tuple[str, ...]) -> Definition:
        """Return the Definition.

        Raises:
            DefinitionError: there are problems; it has all of them.
        """
        container = self.container()
        properties = self._properties()
        self._check_container(container, dict(properties).get("Service", ()), sources[0])
        self._check_units(container, dict(properties))
        self._check_limits()
        self._check_tells(container.notify)
        in_order = sorted(self.items, key=lambda item: syntax.SECTIONS.index(item.setting.section))
        definition = Definition(
            self.name,
            container,
            tuple(Assignment(item.setting.section, item.setting.key, item.text) for item in in_order),
            properties,
            sources,
        )
        if self.problems:
            raise DefinitionError(_in_order(self.problems, sources), definition)
        return definition

    def values_of(self, section: str) -> list[tuple[str, Any]]:
        """The effective `(key, parsed value)` pairs of *section*."""
        return [(item.setting.key, item.value) for item in self.items if item.setting.section == section]

    def container(self) -> Container:
        """What the assignments until now describe."""
        if self._built is None or self._built[0] != self.items:
            self._built = (list(self.items), self._container())
        return self._built[1]

    def _container(self) -> Container:
        of_service = [pair for pair in self.values_of("Service") if features.is_of_service(pair[0])]
        timer = [("Timer", values)] if (values := self.values_of("Timer")) else []
        return container_section.build([*self.values_of("Container"), *of_service, *timer], self.host.uid)

    def _check_container(self, container: Container, service: tuple[Property, ...], source: str) -> None:
        for message, hint in container_section.missing(container, self.failed) if self.is_whole else ():
            typed = hint if source.endswith(".nsunit") else hint.replace("e.g. ", "e.g. -p ")  # `run` has no file
            self.problems.append(Problem(source, 0, message, typed))
        for key, message, hint in container_section.contradictions(container, self.name, service):
            section, _, bare = key.rpartition(".")
            self.blame(section or "Container", bare, message, hint)
        if container.slice and len(slice_name(self.name, container.slice)) > UNIT_NAME_MAX:
            self.blame("Container", "Slice", "the name of the slice would be too long", "use shorter names")

    def _check_units(self, container: Container, properties: dict[str, tuple[Property, ...]]) -> None:
        network = container.network if self.has_network else "host"
        units = (properties.get("Service", ()), properties.get("Slice", ()))
        for key, message, hint in setting.contradictions(network, *units):
            section, _, bare = key.partition(".")
            self.blame(section, bare, message, hint)

    def _properties(self) -> tuple[tuple[str, tuple[Property, ...]], ...]:
        found = []
        for section in ("Unit", "Service", "Slice"):
            listed: list[Property] = []
            for item in self.items:
                if item.setting.section == section:
                    listed += _properties_of(item)
            if listed:
                found.append((section, merge(listed)))
        return tuple(found)

    def blame(self, section: str, key: str, message: str, hint: str) -> None:
        """Report a contradiction at the last assignment of *key*."""
        for item in reversed(self.items):
            if item.setting.section == section and item.setting.key == key:
                self.problem(item.path, item.line, section, f"{key}: {message}", hint)
                return

    def _check_limits(self) -> None:
        for item in self.items:
            value = item.value
            if not isinstance(value, int) or item.setting.section not in ("Slice", "Service"):
                continue
            key = item.setting.key
            if key in ("MemoryMax", "MemoryHigh", "StartupMemoryMax", "StartupMemoryHigh") and value < MEMORY_FLOOR:
                message = f"'{printable(item.text)}' is less than setting up a container takes"
                self.blame(item.setting.section, key, message, f"use at least {MEMORY_FLOOR >> 20}M")
            elif key == "TasksMax" and value < TASKS_FLOOR:
                message = f"'{printable(item.text)}' is less than setting up a container takes"
                self.blame(item.setting.section, key, message, f"use at least {TASKS_FLOOR}")

    def _check_tells(self, notify: bool) -> None:
        for key in () if notify else [item.setting.key for item in self.items if item.value]:
            if key in _TOLD:
                self.blame("Service", key, f"the program could not tell {_TOLD[key]}", "set [Container] Notify=yes")


def load(name: str, search_path: search.SearchPath, host: Host, more: Sequence[Given] = ()) -> Definition:
    """Read the definition of container *name*: its file, or its template's, all drop-ins, and after them *more*.

    Raises:
        UsageError: *name* is not a container's name.
        NotFoundError: there is no such definition.
        DefinitionError: it has mistakes or cannot be read; the error lists every one of them.
    """
    found = search.find(name, search_path)
    for refuse in features.hooks(features.kinds_of(name), "definition.refuse_as_container"):
        refuse(name)
    loader = Loader(name, host)
    sources = (found.main, *found.drop_ins)
    read_all(loader, sources)
    own = search.unit_drop_ins((slice_name(name, loader.container().slice), service_name(name)), search_path)
    read_all(loader, own)
    loader.add(more)
    used = features.features_of(key for key, _ in loader.values_of("Container"))
    for check in features.hooks(used, "definition.check_member"):
        check(loader, search_path)
    return loader.finish((*sources, *own))


def default_instance(name: str, search_path: search.SearchPath, host: Host) -> str:
    """The instance that the template of *name*, an instance of it, has in DefaultInstance=; empty without one.

    Raises:
        NotFoundError: there is no such template.
        UsageError: it makes no name.
    """
    found = search.find(name, search_path)
    loader = Loader(name, host)
    read_all(loader, (found.main, *found.drop_ins))
    instance = dict(loader.values_of("Install")).get("DefaultInstance", "")
    return check_name(f"{name.partition('@')[0]}@{instance}") if instance else ""


def load_any(name: str, search_path: search.SearchPath, host: Host, more: Sequence[Given] = ()) -> Definition:
    """`load`, or its like for what else *name* is by its ending: a group, a pod."""
    for load_kind in features.hooks(features.kinds_of(name), "definition.load"):
        found: Definition = load_kind(name, search_path, host, more)
        return found
    return load(name, search_path, host, more)


def any_of_text(name: str, text: str, path: str, host: Host, more: Sequence[Given] = ()) -> Definition:
    """`load_text`, or its like for what else *name* is by its ending."""
    for read in features.hooks(features.kinds_of(name), "definition.of_text"):
        found: Definition = read(name, text, path, host, more)
        return found
    return load_text(name, text, path, host, more)


def read_all(loader: Loader, paths: tuple[str, ...]) -> None:
    """Have *loader* read files, in their order."""
    for path in paths:
        data = _read(path)
        if isinstance(data, str):
            loader.problems.append(Problem(path, 0, data, "a definition is a text file that can be read"))
            loader.is_whole = False
        else:
            loader.read(path, data)


def load_text(name: str, text: str, path: str, host: Host, more: Sequence[Given] = ()) -> Definition:
    """Return the Definition that *text*, and after it *more*, says.

    *path* is named in problems and is its source unless it names others.

    Raises:
        DefinitionError: it has mistakes.
    """
    return take_text(Loader(check_name(name), host), text, path, more)


def unit_text_value(found: Setting, text: str) -> str:
    """Return *text*, an effective value of the setting *found*, as it must stand in a unit file.

    Specifiers in it are expanded already, so a percent sign left over is meant; systemd looks for specifiers in most
    settings but not in those that take percentages.
    """
    return text.replace("%", "%%") if found.specifiers else text


def serialize(definition: Definition) -> str:
    """Return *definition* as text in the syntax of definition files, which `load_text` reads back to an equal one."""
    lines = [SOURCES_HEADER, *(SOURCE_KEY + source for source in definition.sources)]
    for section in syntax.SECTIONS:
        texts = definition.texts_of(section)
        if texts:
            lines += ["", f"[{section}]"]
        for key, text in texts:
            found = setting.lookup(section, key)
            assert found is not None, key
            lines.append(f"{key}={unit_text_value(found, text)}")
    return "\n".join(lines) + "\n"


def take_text(loader: Loader, text: str, path: str, more: Sequence[Given]) -> Definition:
    """`load_text` with a *loader* that is there already."""
    loader.read(path, text.encode())
    loader.add(more)
    return loader.finish(_stored_sources(text) or (path,))


def load_properties(name: str, assignments: Sequence[Given], host: Host) -> Definition:
    """Return the Definition that `(section, key, value, origin)` assignments make (`nsunit run -p Key=value`).

    With an empty section the key may be `Section.Key`, or else belongs to the first section that has it of
    [Container], [Slice], [Service], [Unit].  *origin* is named in problems, in place of a file.

    Raises:
        DefinitionError: it has mistakes.
    """
    loader = Loader(check_name(name), host)
    loader.add(assignments)
    sources = tuple(dict.fromkeys(origin for _, _, _, origin in assignments))
    return loader.finish(sources or ("-p",))


def _is_replaced(item: Item, by: Setting, value: object) -> bool:
    """Whether *item* no longer counts after an assignment of *value*."""
    if (item.setting.section, item.setting.key) != (by.section, by.key):
        return False
    return not by.adds or isinstance(value, Alone) or isinstance(item.value, Alone)


def _one_line(key: str, text: str) -> str | None:
    if syntax.has_control(text.replace("\t", " ")):
        return f"'{printable(key)}={printable(text)}' contains a control character"
    if any("\ud800" <= char <= "\udfff" for char in key + text):
        return f"'{printable(key)}={printable(text)}' is not UTF-8"
    if (len(text) - len(text.rstrip("\\"))) % 2:
        return f"'{printable(key)}={printable(text)}' ends with a backslash"
    return None


def _section_of(key: str) -> tuple[str, str]:
    section, dot, rest = key.partition(".")
    if dot:
        return section, rest
    candidates = ("Container", "Slice", "Service", "Unit")
    known = [(section, setting.lookup(section, key)) for section in candidates]
    for section, found in known:
        if found is not None and found.refused is None:
            return section, key
    for section, found in known:
        if found is not None:
            return section, key
    return "Container", key


def _properties_of(item: Item) -> tuple[Property, ...]:
    if isinstance(item.value, Properties):
        return item.value
    if not item.setting.property:
        return ()
    return (Property(item.setting.property, item.setting.signature, item.value),)


def _in_order(problems: list[Problem], sources: tuple[str, ...]) -> list[Problem]:
    """Return each problem once, in the order of files and lines."""
    places = {path: number for number, path in enumerate(sources)}
    return sorted(dict.fromkeys(problems), key=lambda problem: (places.get(problem.path, 0), problem.line))


def _read(path: str) -> bytes | str:
    """Return the content of a regular file that is no larger than any definition; else what is wrong."""
    try:
        return read_regular(path)
    except OSError as error:
        of_ours = error.errno in (errno.EINVAL, errno.EFBIG)
        return str(error.strerror) if of_ours else f"cannot be read: {error.strerror}"


def _stored_sources(text: str) -> tuple[str, ...]:
    lines = text.partition("\n\n")[0].split("\n")
    if lines[0] != SOURCES_HEADER:
        return ()
    return tuple(line.removeprefix(SOURCE_KEY) for line in lines[1:] if line.startswith(SOURCE_KEY))
