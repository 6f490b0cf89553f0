"""Compose files: compose-spec, a definition for each service, networks, and volumes by their names."""

from __future__ import annotations

import os.path

from nsunit.imports.compose import files
from nsunit.imports.compose.project import FILES, OVERRIDES, Project, is_bind
from nsunit.imports.compose.service import Service
from nsunit.imports.model import Draft, Imported, NotCarried, Origin, Remark, Unusable
from nsunit.imports.podman.network import range_of
from nsunit.imports.podman.target import Names, Target
from nsunit.imports.text import name_for, seconds
from nsunit.names import service_name
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from nsunit.imports.model import Given

_TOP = frozenset("name version services networks volumes configs secrets include".split())
_LINKS = ("macvlan", "ipvlan")
_CONDITIONS = ("service_started", "service_healthy", "service_completed_successfully")
_START_SECONDS = 60  # nsunit's TimeoutStartSec=


class Plan(Record):
    """What a project is: its *name*, what it becomes, and in what order its services are started.

    *containers* are the names of each service's containers.  *levels* are services that are started together, each
    after those that it needs, *needs*; of *jobs* the end is waited for before what needs them is started.
    *without_up* are remarks about what 'nsunit up' does, and systemd alone does not.  *others* are the definitions of
    services that no profile has chosen, *volumes* those of its own, by their names.
    """

    name: str
    imported: Imported
    containers: dict[str, tuple[str, ...]]
    levels: tuple[tuple[str, ...], ...]
    jobs: frozenset[str]
    needs: dict[str, set[str]]
    without_up: tuple[Remark, ...]
    others: frozenset[str]
    volumes: tuple[str, ...]

    def with_needs(self, services: Iterable[str]) -> tuple[str, ...]:
        """*services* and those that they need, in the order of the file."""
        found: set[str] = set()
        waiting = list(services)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self.needs.get(name, ())
        return tuple(name for name in self.containers if name in found)


def convert(given: Given) -> Imported:
    """The definitions that the project of *given* becomes."""
    found = plan(given)
    return found.imported.replace(remarks=(*found.imported.remarks, *found.without_up))


def plan(given: Given) -> Plan:
    """What the project of *given* is.

    Raises:
        Unusable: its files are none of compose's.
    """
    return _Made(Project(given.replace(texts=chosen(given.texts)))).plan()


def chosen(texts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Of the files of a directory that which counts, with its override; those that were named otherwise all count."""
    by_folder: dict[str, dict[str, tuple[str, str]]] = {}
    for path, text in texts:
        by_folder.setdefault(os.path.dirname(path), {})[os.path.basename(path)] = (path, text)
    if len(by_folder) != 1:
        return texts
    (known,) = by_folder.values()
    if not set(known) <= {*FILES, *OVERRIDES}:
        return texts
    main = next((known[name] for name in FILES if name in known), None)
    over = next((known[name] for name in OVERRIDES if name in known), None)
    return tuple(item for item in (main, over) if item is not None)


class _Made:
    """A project while its parts are made."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.names = Names()
        self.drafts: dict[str, Draft] = {}
        self.networks: list[Draft] = []
        self.own_volumes: list[str] = []
        self.services = self._services_in_use()
        self.scale = {name: self._scale(name) for name in self.services}

    def plan(self) -> Plan:
        """All of it."""
        project = self.project
        for key in project.data.keys() - _TOP:
            if not key.startswith("x-"):
                project.lost("nsunit has nothing for it", "leave it out", key)
        self._networks()
        self._volumes()
        for name in self.services:
            self._service(name)
        jobs = frozenset(job for name in self.services for job in self._depends(name))
        drafts = (*self.networks, *self.drafts.values())
        if not self.drafts:
            raise Unusable(project.origin("services"), "there is no service", "add one, or choose its profile")
        containers = {name: self.containers(name) for name in self.services}
        imported = Imported(drafts, tuple(dict.fromkeys(project.remarks)))
        return Plan(
            project.name,
            imported,
            containers,
            self._levels(),
            jobs,
            {name: self._needs(name) for name in self.services},
            tuple(project.without_up),
            frozenset(self._definitions_of(project.data["services"].keys() - set(self.services))),
            tuple(self.own_volumes),
        )

    def _levels(self) -> tuple[tuple[str, ...], ...]:
        """The services in the order of what they need.

        Raises:
            Unusable: some need each other.
        """
        waiting = {name: self._needs(name) & set(self.services) - {name} for name in self.services}
        levels = []
        while waiting:
            level = tuple(name for name, needed in waiting.items() if not needed & waiting.keys())
            if not level:
                name = next(iter(waiting))
                where = self.project.origin("services", name, "depends_on")
                raise Unusable(where, f"{', '.join(waiting)} need each other", "leave out one of them")
            levels.append(level)
            waiting = {name: needed for name, needed in waiting.items() if name not in level}
        return tuple(levels)

    def _needs(self, name: str) -> set[str]:
        """The services that have to run before the service *name*."""
        service = self.project.data["services"][name]
        needed = set(service.get("depends_on") or ())
        needed |= {str(item).partition(":")[0] for item in service.get("links") or ()}
        for key in ("network_mode", "ipc", "pid"):
            kind, _, other = str(service.get(key) or "").partition(":")
            needed |= {other} if kind == "service" else set()
        return needed

    def _services_in_use(self) -> list[str]:
        """Those without a profile, and of a chosen one."""
        services, given = self.project.data["services"], self.project.given
        asked = {*given.profiles, *self.project.environ.get("COMPOSE_PROFILES", "").split(",")}
        found = []
        for name, service in services.items():
            profiles = set(service.get("profiles") or [])
            if not profiles or profiles & asked or "*" in asked or name in given.services:
                found.append(name)
            else:
                why = f"the service is of the profile {', '.join(sorted(profiles))}"
                origin = self.project.origin("services", name)
                self.project.without_up.append(Remark(origin, why, "choose it by --profile"))
        return found

    def _scale(self, name: str) -> int:
        service = self.project.data["services"][name]
        deploy = service.get("deploy") or {}
        asked = dict(self.project.given.scale).get(name)
        number = asked if asked is not None else service.get("scale", deploy.get("replicas", 1))
        return int(number) if str(number).isdecimal() else 1

    def definition(self, name: str) -> str:
        """What the definition of a service is called."""
        called = name_for(f"{self.project.name}-{name}")
        return called if self.scale.get(name, 1) == 1 else f"{called}@"

    def _definitions_of(self, names: Iterable[str]) -> Iterator[str]:
        for name in names:
            try:
                yield self.definition(name)
            except NotCarried:
                continue  # it is told when its profile is chosen

    def containers(self, name: str) -> tuple[str, ...]:
        """What the containers of a service are called."""
        called = self.definition(name)
        if not called.endswith("@"):
            return (called,)
        return tuple(f"{called}{number}" for number in range(1, self.scale[name] + 1))

    def _networks(self) -> None:
        project = self.project
        defined = dict(project.data.get("networks") or {})
        used: set[str] = set()
        for name in self.services:
            service = project.data["services"][name]
            joined = service.get("networks")
            if "network_mode" not in service:
                used |= set(joined or ["default"])
        for name in sorted(used, key=lambda name: list(defined).index(name) if name in defined else -1):
            self._network(name, dict(defined.get(name) or {}))
        for name in defined.keys() - used:
            project.lost("no service is in it", "leave it out", "networks", name)

    def _network(self, name: str, said: dict[str, Any]) -> None:
        project = self.project
        own = said.pop("name", None)
        if said.pop("external", None):
            called = str(own or name)
            self.names.networks[name] = "bridge" if called in ("bridge", "podman") else name_for(called)
            return
        driver = str(said.get("driver") or "bridge")
        options = dict(said.get("driver_opts") or {})
        if self.project.given.user:
            self.names.networks[name] = "pasta"
            why = ("containers of users have no networks among them", "they reach each other by ports, or in a pod")
            project.lost(*why, "networks", name)
            return
        if driver in _LINKS and options.get("parent"):
            self.names.networks[name] = f"{driver}:{options['parent']}"
            config = (said.pop("ipam", None) or {}).get("config") or []
            subnets = [(str(item.get("subnet", "")), str(item.get("gateway") or "")) for item in config]
            self.names.subnets[name] = subnets
            for key in said.keys() - {"driver", "driver_opts"}:
                project.lost(
                    "its containers are on the link itself", "use Address= and Gateway=", "networks", name, key
                )
            return
        try:
            called = name_for(str(own) if own else f"{project.name}-{name}")
        except NotCarried as lost:
            raise Unusable(project.origin("networks", name), lost.reason, "rename the network") from None
        self.names.networks[name] = called
        draft = Draft(f"{called}.network", f"Imported from {project.given.texts[0][0]}: networks.{name}")
        for key, value in said.items():
            try:
                self._network_key(draft, name, key, value)
            except NotCarried as lost:
                project.lost(lost.reason, lost.instead, "networks", name, key)
        draft.add("Network", "X-Project", project.name, project.origin("networks", name))
        self.networks.append(draft)

    def _network_key(self, draft: Draft, name: str, key: str, value: Any) -> None:
        project = self.project
        origin = project.origin("networks", name, key)
        if key == "internal":
            if value:
                draft.add("Network", "Internal", "yes", origin)
        elif key == "driver":
            if value not in ("bridge", "default"):
                project.lost(
                    f"a network of driver '{value}' is none of nsunit's", "it is a bridge", "networks", name, key
                )
        elif key == "ipam":
            for item in (value or {}).get("config") or []:
                for part, text in item.items():
                    known = {"subnet": "Subnet", "gateway": "Gateway"}.get(part)
                    if part == "ip_range":
                        subnets = [str(other.get("subnet", "")) for other in value["config"]]
                        text, known = range_of(str(text), subnets), "Range"
                    if known:
                        draft.add("Network", known, str(text), project.origin("networks", name, key, "config"))
                    else:
                        project.lost(
                            "nsunit gives the addresses itself", "use Range=FIRST-LAST", "networks", name, key, part
                        )
        elif key == "driver_opts":
            for option, text in (value or {}).items():
                if option == "com.docker.network.driver.mtu":
                    draft.add("Network", "MTU", str(text), origin)
                else:
                    why = ("nsunit's networks have no such option", "leave it out")
                    project.lost(*why, "networks", name, key, option)
        elif key == "labels":
            project.lost("a network has a name, and nothing else", "leave it out", "networks", name, key)
        elif key not in ("enable_ipv6", "enable_ipv4", "attachable") or (key == "enable_ipv4" and value is False):
            project.lost("nsunit's networks have nothing of that kind", "leave it out", "networks", name, key)

    def _volumes(self) -> None:
        project = self.project
        for name, value in (project.data.get("volumes") or {}).items():
            said = dict(value or {})
            own = said.pop("name", None)
            external = said.pop("external", False)
            called = str(own) if own else name if external else f"{project.name}-{name}"
            options = {str(key): str(text) for key, text in (said.pop("driver_opts", None) or {}).items()}
            if is_bind(options):
                called = project.absolute(options["device"])
            elif options.get("type") == "tmpfs":
                called = ":".join(["tmpfs", *([options["o"]] if options.get("o") else [])])
            elif options:
                project.lost("no file system is mounted for a volume", "mount it, and use a bind", "volumes", name)
            if said.pop("driver", "local") not in ("local", None):
                project.lost(
                    "volumes are directories of the host", "mount it, and use a bind", "volumes", name, "driver"
                )
            for key in said:
                project.lost("a volume has a name, and nothing else", "leave it out", "volumes", name, key)
            if not external and called[:1] != "/" and called.partition(":")[0] != "tmpfs":
                self.own_volumes.append(called)
            self.names.volumes[name] = called

    def _service(self, name: str) -> None:
        project = self.project
        try:
            called = self.definition(name)
        except NotCarried as lost:
            raise Unusable(project.origin("services", name), lost.reason, "rename the service") from None
        draft = Draft(called, f"Imported from {project.given.texts[0][0]}: services.{name}")
        given = project.given
        target = Target(draft, self.names, user=given.user, base=project.base, read=given.read, environ=project.environ)
        made = Service(project, name, target, self.containers)
        made.convert()
        files.add(made, "configs")
        files.add(made, "secrets")
        target.origin = project.origin("services", name)
        target.say("X-Project", project.name)
        target.say("X-Service", name)
        project.remarks += target.remarks
        self.drafts[name] = draft

    def _depends(self, name: str) -> tuple[str, ...]:
        """Say what a service needs before it, and return what it needs the end of."""
        said = self.project.data["services"][name].get("depends_on") or {}
        if isinstance(said, list):
            said = {str(other): {} for other in said}
        draft, jobs = self.drafts[name], []
        for other, value in said.items():
            if other == name:
                continue  # it extends one that needs it
            condition = str((value or {}).get("condition") or "service_started")
            required = (value or {}).get("required", True)
            origin = self.project.origin("services", name, "depends_on", other)
            if other not in self.drafts:
                if required:
                    raise Unusable(origin, f"there is no service '{other}' here", "add it, or choose its profile")
                continue
            units = " ".join(service_name(container) for container in self.containers(other))
            if not units:
                continue
            draft.add("Unit", "After", units, origin)
            if condition == "service_completed_successfully":
                jobs.append(other)
                hint = "'nsunit up' waits for that; with systemd alone it is started after that has begun"
                self.project.without_up.append(Remark(origin, f"no unit waits for the end of '{other}'", hint))
                continue
            draft.add("Unit", "Requires" if required else "Wants", units, origin)
            if (value or {}).get("restart"):
                draft.add("Unit", "PartOf", units, origin)
            if condition == "service_healthy":
                self._ready_when_healthy(other, origin)
            elif condition not in _CONDITIONS:
                self.project.lost(
                    f"'{condition}' is no condition", "use service_healthy", "services", name, "depends_on"
                )
        return tuple(jobs)

    def _ready_when_healthy(self, name: str, origin: Origin) -> None:
        """Have a service be started only when its first check has passed, and wait as long as that may take."""
        draft = self.drafts[name]
        draft.add("Container", "Notify", "healthy", origin)
        check = self.project.data["services"][name].get("healthcheck") or {}
        try:
            period, interval, timeout = (
                _seconds(str(check.get(key) or default))
                for key, default in (("start_period", "0s"), ("interval", "30s"), ("timeout", "30s"))
            )
            longest = period + (interval + timeout) * int(str(check.get("retries") or 3))
        except (NotCarried, ValueError):  # the draft has it as it is, and its check tells it
            return
        if longest > _START_SECONDS and not draft.has("Service", "TimeoutStartSec"):
            draft.add("Service", "TimeoutStartSec", f"{int(longest)}s", origin)


def _seconds(text: str) -> float:
    """A time in seconds."""
    units = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600}
    found = 0.0
    for part in seconds(text).split():
        number = part.rstrip("abcdefghijklmnopqrstuvwxyz")
        found += float(number) * units.get(part[len(number) :], 1)
    return found
