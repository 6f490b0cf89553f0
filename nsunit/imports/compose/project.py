"""A project: its files put together, with includes, what extends what, variables and profiles."""

from __future__ import annotations

import os.path

from nsunit.imports.compose import document, shapes, variables
from nsunit.imports.compose.build import location
from nsunit.imports.compose.document import Override, Reset, unmarked
from nsunit.imports.model import NotCarried, Origin, Remark, Unusable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.model import Given

FILES = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
OVERRIDES = tuple(name.replace(".y", ".override.y") for name in FILES)
DEPTH_MAX = 20
_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")
# Lists whose items are told apart by where they are inside.
_BY_TARGET = {"volumes": 1, "devices": 1}
_UNIQUE = frozenset("cap_add cap_drop dns dns_search dns_opt expose security_opt tmpfs profiles group_add".split())
_SEVERAL = frozenset("dns dns_opt dns_search env_file label_file tmpfs".split())  # one, or a list
_NAMES = frozenset("depends_on networks".split())  # lists or mappings
_REPLACED = frozenset("command entrypoint test".split())
_MAPPINGS = frozenset("environment labels annotations extra_hosts sysctls driver_opts args".split())


class Project:
    """The merged `data` of a project called `name`, below the directory `base`; `remarks` about it."""

    def __init__(self, given: Given) -> None:
        self.given = given
        self.remarks: list[Remark] = []
        self.without_up: list[Remark] = []  # about what 'nsunit up' does, or who has called it need not be told again
        self.lines: document.Lines = {}
        self.data: dict[str, Any] = {}
        paths = [path for path, _ in given.texts]
        if not paths:
            raise Unusable(Origin("", 0, "compose"), "there is no compose file", f"files are {', '.join(FILES)}")
        self.base = os.path.dirname(paths[0])
        self.environ = self._environ(self.base, dict(given.environ))
        documents = [(path, document.read(path, text)) for path, text in given.texts]
        for _, found in documents:
            self.lines |= found.lines
        self.name = self._name([found.data.get("name") for _, found in documents])
        self.environ["COMPOSE_PROJECT_NAME"] = self.name  # variables in all the rest may name it
        for path, found in documents:
            self.data = self.merged(self.data, self._replaced(path, found, self.environ))
        self._include(self.base)
        self.data = {key: value if key == "services" else unmarked(value) for key, value in self.data.items()}
        self._extend_all()
        shapes.check(self, self.data)

    def origin(self, *where: str) -> Origin:
        """Where that was said, or what it is in."""
        for length in range(len(where), -1, -1):
            found = self.lines.get(where[:length])
            if found is not None:
                return Origin(found.path, found.line, ".".join(where))
        return Origin(self.given.texts[0][0], 0, ".".join(where))

    def lost(self, reason: str, instead: str, *where: str) -> None:
        """Tell what is not carried over."""
        self.remarks.append(Remark(self.origin(*where), reason, instead))

    def _environ(self, base: str, environ: dict[str, str]) -> dict[str, str]:
        return self._with_file(f"{base}/.env", environ)

    def _with_file(self, path: str, environ: dict[str, str]) -> dict[str, str]:
        """*environ*, with what the file at *path* has besides.

        Raises:
            Unusable: one of its values has a variable that is not written so.
        """
        content = self.given.read(path)
        try:
            return {**variables.environment_file(content or "", environ), **environ}
        except NotCarried as lost:
            raise Unusable(Origin(path, 0, "variables"), lost.reason, lost.instead) from None

    def read(self, path: str, text: str, environ: dict[str, str]) -> dict[str, Any]:
        """The data of one file, with its variables replaced."""
        return self._replaced(path, document.read(path, text), environ)

    def _replaced(self, path: str, found: document.Document, environ: dict[str, str]) -> dict[str, Any]:
        said: set[str] = set()

        def unset(name: str, where: tuple[str, ...]) -> None:
            if name not in said:
                said.add(name)
                origin = _nearest(found.lines, where, path).replace(key=f"${{{name}}}")
                self.remarks.append(Remark(origin, "the variable is not set, and empty", f"set it: {name}=VALUE"))

        try:
            data = variables.in_all(found.data, environ, unset)
        except variables.WrongVariable as wrong:
            raise Unusable(_nearest(found.lines, wrong.where, path), wrong.lost.reason, wrong.lost.instead) from None
        self.lines |= found.lines
        for where in found.override:
            _mark(data, where)
        return dict(data)

    def merged(self, old: Any, new: Any, where: tuple[str, ...] = ()) -> Any:
        """*new* over *old*, as the specification merges files."""
        if isinstance(new, Reset):
            return None
        if isinstance(new, Override):
            return new.value
        key = where[-1] if where else ""
        if key in _REPLACED:
            return new
        if len(where) == 3 and where[0] == "services":
            old, new = _of_one_kind(key, old, new)
        if key in _MAPPINGS and isinstance(old, (dict, list)) and isinstance(new, (dict, list)):
            return {**_as_mapping(old), **_as_mapping(new)}
        if isinstance(old, dict) and isinstance(new, dict):
            result = dict(old)
            for name, value in new.items():
                result[name] = self.merged(old.get(name), value, (*where, name))
                if isinstance(value, Reset):
                    del result[name]
            return result
        if isinstance(old, list) and isinstance(new, list):
            return _lists(key, old, new)
        return old if new is None else new

    def _include(self, base: str, depth: int = 0) -> None:
        included = self.data.pop("include", None) or []
        for item in included if isinstance(included, list) else [included]:
            said = item if isinstance(item, dict) else {"path": item}
            paths = said.get("path") or []
            paths = paths if isinstance(paths, list) else [paths]
            first = self.absolute(str(paths[0]), base) if paths else ""
            folder = self.absolute(str(said.get("project_directory") or os.path.dirname(first)), base)
            environ = self._environ(folder, self.environ)
            files = said.get("env_file") or []
            for name in [files] if isinstance(files, str) else files:
                environ = self._with_file(self.absolute(str(name), base), environ)
            found: dict[str, Any] = {}
            for path in paths:
                whole = self.absolute(str(path), base)
                text = self.given.read(whole)
                if text is None:
                    raise Unusable(self.origin("include"), f"'{whole}' is not there", "name a compose file")
                found = self.merged(found, self.read(whole, text, environ))
            if depth > DEPTH_MAX:
                raise Unusable(self.origin("include"), "files include each other", "include each one once")
            shapes.check(self, found)
            found = _with_paths(found, folder, self)
            own = self.data
            self.data = found
            self._include(folder, depth + 1)
            self.data = self.merged(self.data, own)

    def _name(self, said: list[Any]) -> str:
        """What the project is called, of whose files the last one counts that says it."""
        own = next((str(name) for name in reversed(said) if name), "")
        try:
            own = variables.expand(own, self.environ, lambda _name: None)
        except NotCarried as lost:
            raise Unusable(self.origin("name"), lost.reason, lost.instead) from None
        name = self.given.project or self.environ.get("COMPOSE_PROJECT_NAME") or own or os.path.basename(self.base)
        kept = "".join(char for char in name.lower() if char in _NAME).lstrip("_-")
        if not kept:
            raise Unusable(self.origin("name"), f"'{name}' is no name of a project", "use --project=NAME")
        return kept

    def _extend_all(self) -> None:
        services = self.data.get("services") or {}
        if not isinstance(services, dict):
            raise Unusable(self.origin("services"), "it is no mapping", "write NAME: and below it its keys")
        if not services and any(
            isinstance(item, dict) and {"image", "build"} & item.keys() for item in self.data.values()
        ):
            hint = "put 'services:' above them, and indent them"
            raise Unusable(
                self.origin("services"), "the file has services at its top, as in version 1 of the format", hint
            )
        services = {name: item.value if isinstance(item, Override) else item for name, item in services.items()}
        for name, service in services.items():
            if service is not None and not isinstance(service, dict):
                raise Unusable(self.origin("services", name), "it is no mapping", "write its keys below it")
        self.data["services"] = {name: self._extended(name, services, self.base, 0) for name in services}

    def _extended(self, name: str, services: dict[str, Any], base: str, depth: int) -> dict[str, Any]:
        service = dict(services[name] or {})
        extends = service.pop("extends", None)
        if extends is None:
            return dict(unmarked(service))
        said = extends if isinstance(extends, dict) else {"service": extends}
        other, others, folder = str(said.get("service", "")), services, base
        if said.get("file"):
            path = self.absolute(str(said["file"]), base)
            text = self.given.read(path)
            if text is None:
                raise Unusable(
                    self.origin("services", name, "extends"), f"'{path}' is not there", "name a compose file"
                )
            kept = dict(self.lines)
            found = self.read(path, text, self.environ)
            shapes.check(self, found)
            others = found.get("services") or {}
            self.lines = {**self.lines, **kept}
            folder = os.path.dirname(path)
        if other not in others:
            raise Unusable(self.origin("services", name, "extends"), f"there is no service '{other}'", "name one")
        if depth > DEPTH_MAX:
            raise Unusable(self.origin("services", name, "extends"), "services extend each other", "extend another")
        inherited = self._extended(other, others, folder, depth + 1)
        if folder != base:
            inherited = _service_paths(inherited, folder, self)
        for key in ("depends_on", "links", "volumes_from"):
            if isinstance(inherited.get(key), list) and other in inherited[key]:
                inherited.pop(key)
        # What stands in another one's lines is told there.
        for where, origin in list(self.lines.items()):
            if where[:2] == ("services", other) and others is services:
                self.lines.setdefault(("services", name, *where[2:]), origin)
        return dict(unmarked(self.merged(inherited, service, ("services", name))))

    def absolute(self, path: str, base: str = "") -> str:
        """The absolute path that *path* means in a file below *base*."""
        if path == "~" or path.startswith("~/"):
            path = self.environ.get("HOME", "/root") + path[1:]
        return os.path.normpath(os.path.join(base or self.base, path))


def _nearest(lines: document.Lines, where: tuple[str, ...], path: str) -> Origin:
    """Where the value at *where* stands, or what it is in: an alias has no lines for its parts."""
    found = next((lines[where[:size]] for size in range(len(where), -1, -1) if where[:size] in lines), None)
    return (found or Origin(path, 0, "")).replace(key=".".join(where))


def _mark(data: Any, where: tuple[str, ...]) -> None:
    *parents, last = where
    for key in parents:
        data = data[key] if isinstance(data, dict) else data[int(key)]
    if isinstance(data, dict):
        data[last] = Override(data[last])


def _as_mapping(data: Any) -> dict[str, Any]:
    if isinstance(data, dict):
        return data
    found: dict[str, Any] = {}
    for item in data:
        name, equals, value = str(item).partition("=")
        if not equals and ":" in name:
            name, _, value = name.partition(":")
            equals = ":"
        found[name] = value if equals else None
    return found


def _of_one_kind(key: str, old: Any, new: Any) -> tuple[Any, Any]:
    """*old* and *new* of the key of a service, in one of its ways to be written."""
    if old is None or new is None:
        return old, new
    if key in _SEVERAL:
        return [old] if isinstance(old, (str, dict)) else old, [new] if isinstance(new, (str, dict)) else new
    if key == "build":
        return ({"context": old} if isinstance(old, str) else old, {"context": new} if isinstance(new, str) else new)
    if key in _NAMES and dict in (type(old), type(new)):
        return (
            dict.fromkeys(old) if isinstance(old, list) else old,
            dict.fromkeys(new) if isinstance(new, list) else new,
        )
    if key == "logging" and isinstance(old, dict) and isinstance(new, dict):
        drivers = {old.get("driver"), new.get("driver")} - {None}
        return ({} if len(drivers) > 1 else old), new  # options are of one driver
    return old, new


def _lists(key: str, old: list[Any], new: list[Any]) -> list[Any]:
    if key in _BY_TARGET:
        targets = {_target(item) for item in new}
        return [item for item in old if _target(item) not in targets] + new
    if key in ("secrets", "configs"):
        targets = {_secret(item) for item in new}
        return [item for item in old if _secret(item) not in targets] + new
    if key == "ports" or key in _UNIQUE:
        return [item for item in old if item not in new] + new
    return old + new


def _target(item: Any) -> str:
    if isinstance(item, dict):
        return str(item.get("target", ""))
    parts = str(item).split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def _secret(item: Any) -> str:
    """Where a secret or a config is in the container."""
    return str(item.get("target") or item.get("source")) if isinstance(item, dict) else str(item)


def _with_paths(data: dict[str, Any], folder: str, project: Project) -> dict[str, Any]:
    """*data* of a file elsewhere, with the paths in it absolute."""
    found = dict(data)
    if isinstance(found.get("services"), dict):
        found["services"] = {
            name: _service_paths(service or {}, folder, project) for name, service in found["services"].items()
        }
    for kind in ("secrets", "configs"):
        for item in (found.get(kind) or {}).values():
            if isinstance(item, dict) and item.get("file"):
                item["file"] = project.absolute(str(item["file"]), folder)
    for item in (found.get("volumes") or {}).values():
        options = item.get("driver_opts") if isinstance(item, dict) else None
        if isinstance(options, dict) and is_bind(options):
            options["device"] = project.absolute(str(options["device"]), folder)
    return found


def is_bind(options: dict[str, Any]) -> bool:
    """Whether a volume with these is a directory that is bound."""
    return bool(options.get("device")) and "bind" in str(options.get("o") or "").split(",")


def _service_paths(service: dict[str, Any], folder: str, project: Project) -> dict[str, Any]:
    marked = {key for key, value in service.items() if isinstance(value, Override)}
    found = {key: value.value if key in marked else value for key, value in service.items()}
    volumes = []
    for item in found.get("volumes") or []:
        if isinstance(item, str) and item.startswith((".", "~")):
            source, colon, rest = item.partition(":")
            item = project.absolute(source, folder) + colon + rest
        elif isinstance(item, dict) and item.get("type") == "bind" and item.get("source"):
            item = {**item, "source": project.absolute(str(item["source"]), folder)}
        volumes.append(item)
    if volumes:
        found["volumes"] = volumes
    if found.get("build"):
        built = found["build"] if isinstance(found["build"], dict) else {"context": found["build"]}
        found["build"] = {**built, "context": location(str(built.get("context") or "."), folder, project)}
    labels = found.get("label_file")
    if labels:
        items = labels if isinstance(labels, list) else [labels]
        found["label_file"] = [project.absolute(str(item), folder) for item in items]
    files = found.get("env_file")
    if files:
        items = [files] if isinstance(files, (str, dict)) else files
        found["env_file"] = [
            {**item, "path": project.absolute(str(item["path"]), folder)}
            if isinstance(item, dict)
            else project.absolute(str(item), folder)
            for item in items
        ]
    if isinstance(found.get("extends"), dict) and found["extends"].get("file"):
        found["extends"] = {**found["extends"], "file": project.absolute(str(found["extends"]["file"]), folder)}
    return {key: Override(value) if key in marked else value for key, value in found.items()}
