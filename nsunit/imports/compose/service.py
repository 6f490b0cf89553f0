"""One service of compose: its keys are, for the most part, options of 'docker run'."""

from __future__ import annotations

import json

from nsunit.imports.compose.build import build
from nsunit.imports.compose.deploy import deploy, take_limits
from nsunit.imports.compose.environment import environment_files
from nsunit.imports.compose.values import mode, pairs, text_of, words_of
from nsunit.imports.model import NotCarried, Unusable
from nsunit.imports.podman import mounts, process
from nsunit.imports.podman.table import finish, option
from nsunit.imports.podman.target import Target
from nsunit.imports.run import whole_name
from nsunit.imports.text import seconds, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.imports.compose.project import Project

# Keys whose one value, or each of whose values, is that of an option.
ONE = {
    "cgroup": "cgroupns",
    "cgroup_parent": "cgroup-parent",
    "cpu_count": "cpu-count",
    "cpu_percent": "cpu-percent",
    "cpu_period": "cpu-period",
    "cpu_quota": "cpu-quota",
    "cpu_rt_period": "cpu-rt-period",
    "cpu_rt_runtime": "cpu-rt-runtime",
    "cpu_shares": "cpu-shares",
    "cpus": "cpus",
    "cpuset": "cpuset-cpus",
    "domainname": "domainname",
    "hostname": "hostname",
    "init": "init",
    "ipc": "ipc",
    "isolation": "isolation",
    "mac_address": "mac-address",
    "mem_limit": "memory",
    "mem_reservation": "memory-reservation",
    "mem_swappiness": "memory-swappiness",
    "memswap_limit": "memory-swap",
    "oom_kill_disable": "oom-kill-disable",
    "oom_score_adj": "oom-score-adj",
    "pid": "pid",
    "pids_limit": "pids-limit",
    "platform": "platform",
    "privileged": "privileged",
    "read_only": "read-only",
    "restart": "restart",
    "runtime": "runtime",
    "shm_size": "shm-size",
    "stdin_open": "interactive",
    "stop_signal": "stop-signal",
    "tty": "tty",
    "use_api_socket": "use-api-socket",
    "user": "user",
    "userns_mode": "userns",
    "uts": "uts",
    "working_dir": "workdir",
}
EACH = {
    "cap_add": "cap-add",
    "cap_drop": "cap-drop",
    "device_cgroup_rules": "device-cgroup-rule",
    "devices": "device",
    "dns": "dns",
    "dns_opt": "dns-option",
    "dns_search": "dns-search",
    "expose": "expose",
    "external_links": "link",
    "group_add": "group-add",
    "label_file": "label-file",
    "security_opt": "security-opt",
    "tmpfs": "tmpfs",
    "volumes_from": "volumes-from",
}
# Mappings, or lists of NAME=VALUE.
PAIRS = {
    "annotations": "annotation",
    "environment": "env",
    "labels": "label",
    "storage_opt": "storage-opt",
    "sysctls": "sysctl",
}
_LOST = {
    "credential_spec": ("only Windows has it", "leave it out"),
    "develop": ("it is about making the program", "leave it out"),
    "driver_opts": ("networks have no drivers", "leave it out"),
    "gpus": ("nodes of devices are named", "use Device=/dev/dri/renderD128, for each of its nodes"),
    "models": ("nsunit runs no models", "run what serves one as a service"),
    "provider": ("a service is a container", "start what it is yourself"),
}
_OF_DEFINITIONS = ("container_name", "restart")  # of which the remarks are for who works on with these
_PULLS = {"always": "always", "never": "never", "missing": "missing", "if_not_present": "missing", "newer": "newer"}
_PULLS |= {"daily": "newer", "weekly": "newer"}


class Service:
    """One service on its way into *target*'s draft; *name* is what it is called there, *called* here."""

    def __init__(self, project: Project, name: str, target: Target, called: Callable[[str], tuple[str, ...]]) -> None:
        self.project = project
        self.name = name
        self.target = target
        self.called = called
        self.data: dict[str, Any] = dict(project.data["services"][name])
        self.words: list[str] = []

    def at(self, *where: str) -> None:
        """Have what follows be said at *where*."""
        self.target.origin = self.project.origin("services", self.name, *where)

    def convert(self) -> None:
        """Fill the draft."""
        take_limits(self)
        for key, value in self.data.items():
            if value is None and key not in ("networks", "environment"):
                continue
            self.at(key)
            told = len(self.target.remarks)
            try:
                self._key(key, value)
            except NotCarried as lost:
                self.target.remark(lost.reason, lost.instead)
            except (KeyError, TypeError, AttributeError, ValueError):
                self.target.remark("it is not written as the specification has it", "see docs.docker.com/reference")
            if key in _OF_DEFINITIONS:
                self.project.without_up += self.target.remarks[told:]
                del self.target.remarks[told:]
        self._image()
        if self.words:
            self.at("command")
            self.target.hold("words", "")
        if not {"network_mode", "networks"} & self.data.keys():
            self._networks(None)
        finish(self.target, self.words)

    def _key(self, key: str, value: Any) -> None:
        if key in ("ipc", "pid") and str(value).startswith("service:"):
            value = f"container:{self.called(value.partition(':')[2])[0]}"
        if key in ONE:
            self.option(ONE[key], value)
        elif key in EACH:
            for item in value if isinstance(value, list) else [value]:
                self.option(EACH[key], _device(item) if key == "devices" else item)
        elif key in PAIRS:
            for name, text in pairs(value):
                self.option(PAIRS[key], name if text is None else f"{name}={text_of(text)}")
        elif key in _LOST:
            raise NotCarried(*_LOST[key])
        elif key in _KEYS:
            _KEYS[key](self, value)
        elif not key.startswith("x-"):
            raise NotCarried("it is no key of a service", "leave it out")

    def option(self, name: str, value: Any) -> None:
        """Take an option of docker's."""
        option(self.target, name, text_of(value))

    def _image(self) -> None:
        image = self.data.get("image")
        if image:
            self.at("image")
            self.target.plain("Image", whole_name(str(image), self.project.given))
        else:
            self.at("build" if "build" in self.data else "image")
            self.target.plain("Image", f"localhost/{self.project.name}-{self.name}:latest")

    # Keys, by their names.

    def _command(self, value: Any) -> None:
        self.words = self._program(value)

    def _program(self, value: Any) -> list[str]:
        try:
            return words_of(value)
        except NotCarried as lost:  # it would run what the image has
            raise Unusable(self.target.origin, lost.reason, lost.instead) from None

    def _entrypoint(self, value: Any) -> None:
        words = self._program(value)
        self.target.hold("entrypoint", json.dumps(words) if words else "")

    def _container_name(self, value: Any) -> None:
        if str(value) != self.target.draft.name:
            hint = "use that with nsunit"
            if "network_mode" not in self.data:
                self.target.plain("NetworkAlias", str(value))
                hint = "others find it by that name all the same"
            raise NotCarried(f"the container is '{self.target.draft.name}'", hint)

    def _extra_hosts(self, value: Any) -> None:
        for name, addresses in pairs(value):
            for address in addresses if isinstance(addresses, list) else [addresses]:
                self.option("add-host", f"{name}={address}")

    def _healthcheck(self, value: dict[str, Any]) -> None:
        if value.get("disable"):
            self.target.say("Health", "no")
            return
        for key, text in value.items():
            self.at("healthcheck", key)
            if key == "test":
                process.health_words(
                    self.target, ["CMD-SHELL", text] if isinstance(text, str) else list(map(str, text))
                )
            elif key in ("interval", "timeout", "retries", "start_period", "start_interval"):
                self.option(f"health-{key.replace('_', '-')}", text)
            elif key != "disable":
                self.target.remark("it is no key of a check", "leave it out")

    def _links(self, value: list[Any]) -> None:
        for item in value:
            name, colon, alias = str(item).partition(":")
            for other in self.called(name)[:1]:
                self.target.plain("Link", f"{other}:{alias}" if colon else f"{other}:{name}")

    def _logging(self, value: dict[str, Any]) -> None:
        driver = str(value.get("driver") or "json-file")
        if driver not in ("json-file", "local"):
            self.option("log-driver", driver)
        for name, text in (value.get("options") or {}).items():
            self.at("logging", "options", name)
            self.option("log-opt", f"{name}={text}")

    def _network_mode(self, value: Any) -> None:
        kind, _, name = str(value).partition(":")
        if kind == "service":
            self.option("network", f"container:{self.called(name)[0]}")
        else:
            self.option("network", value)

    def _networks(self, value: Any) -> None:
        if "network_mode" in self.data:
            raise NotCarried("network_mode: says what network it has", "leave out one of the two")
        joined = value if isinstance(value, dict) else dict.fromkeys(value or ["default"])
        order = sorted(joined, key=lambda name: -int((joined[name] or {}).get("priority", 0)))
        for name in order:
            self.at("networks", name)
            said = dict(joined[name] or {})
            options = [f"ip={said.pop(key)}" for key in ("ipv4_address", "ipv6_address") if said.get(key)]
            options += [f"mac={said.pop('mac_address')}"] if said.get("mac_address") else []
            for alias in said.pop("aliases", None) or []:
                self.target.plain("NetworkAlias", str(alias))
            said.pop("priority", None)
            for key in said:
                self.at("networks", name, key)
                self.target.remark("an interface has no such thing", "leave it out")
            self.at("networks", name)
            self.option("network", f"{name}:{','.join(options)}" if options else name)
        if self.target.draft.name != self.name and not self.target.user:  # a user's have no network among them
            self.at("networks")
            self.target.plain("NetworkAlias", self.name)

    def _ports(self, value: list[Any]) -> None:
        for item in value:
            if not isinstance(item, dict):
                self.option("publish", item)
                continue
            where = str(item.get("host_ip") or "")
            where = f"[{where}]" if ":" in where else where
            published = item.get("published")
            protocol = item.get("protocol") or "tcp"
            text = f"{where + ':' if where else ''}{'' if published is None else published}:{item['target']}/{protocol}"
            self.option("publish", text.removeprefix(":"))
            for key in item.keys() - {"host_ip", "published", "protocol", "target", "mode", "name", "app_protocol"}:
                self.target.remark(f"'{key}' is nothing of a port", "leave it out")

    def _pull_policy(self, value: Any) -> None:
        name = str(value).partition("_")[0] if str(value).startswith("every") else str(value)
        if name == "build":
            raise NotCarried("nsunit does not build it at a start", "build it by 'nsunit build'")
        self.option("pull", "newer" if name == "every" else _PULLS.get(name, name))

    def _stop_grace_period(self, value: Any) -> None:
        time = seconds(str(value))
        if time != "10s":
            self.target.say("TimeoutStopSec", time, "Service")

    def _ulimits(self, value: dict[str, Any]) -> None:
        for name, limit in value.items():
            text = f"{limit['soft']}:{limit['hard']}" if isinstance(limit, dict) else limit
            self.option("ulimit", f"{name}={text}")

    def _blkio(self, value: dict[str, Any]) -> None:
        for key, items in value.items():
            self.at("blkio_config", key)
            if key == "weight":
                self.option("blkio-weight", items)
            elif key == "weight_device":
                for item in items:
                    self.option("blkio-weight-device", f"{item['path']}:{item['weight']}")
            else:
                for item in items:
                    self.option(key.replace("_", "-"), f"{item['path']}:{item['rate']}")

    def _hooks(self, value: list[Any]) -> None:
        key = self.target.origin.key.rpartition(".")[2]
        verb = "ExecStartPost" if key == "post_start" else "ExecStop"
        for item in value:
            words = words_of(item["command"])
            if item.get("user") or item.get("environment") or item.get("working_dir") or item.get("privileged"):
                self.target.remark("it runs as the service's user, with its variables", "use [Service] yourself")
            name = self.target.draft.name
            who = name + ("%i" if name[-1] == "@" else "")
            command = " ".join(word(item).replace("$", "$$") for item in words)  # systemd's variables are others
            self.target.say(verb, f"/usr/bin/nsunit exec {who} -- {command}", "Service")

    def _volumes(self, value: list[Any]) -> None:
        for item in value:
            if not isinstance(item, dict):
                source = str(item).partition(":")[0]
                rest = str(item)[len(source) :]
                if source.startswith((".", "~")):
                    source = self.project.absolute(source)
                self.option("volume", source + rest)
                continue
            self._mount(item)

    def _mount(self, item: dict[str, Any]) -> None:
        kind, source, where = str(item.get("type") or "volume"), str(item.get("source") or ""), str(item["target"])
        more = {**(item.get("bind") or {}), **(item.get("volume") or {}), **(item.get("tmpfs") or {})}
        if more.get("subpath"):
            self.target.remark("a volume is mounted as a whole", "use one for that directory alone")
            return
        options = ["ro"] if item.get("read_only") else []
        for key, value in more.items():
            if key == "propagation" or key == "selinux":
                options.append(str(value))
            elif key == "nocopy":
                options += ["nocopy"] if value else []
            elif key == "mode":
                options.append(f"mode={mode(value, self.target):04o}")
            elif key == "size":
                options.append(f"size={value}")
            elif key == "recursive":
                options += ["norbind"] if value == "disabled" else []
            elif key != "create_host_path":
                self.target.remark(f"'{key}' is nothing of a mount here", "leave it out")
        try:
            if kind == "bind":
                mounts.bind(self.target, self.project.absolute(source), where, options)
            elif kind == "volume":
                mounts.mount_volume(self.target, source, where, options)
            elif kind == "tmpfs":
                mounts.tmpfs(self.target, f"{where}:{','.join(options)}" if options else where)
            else:
                raise NotCarried(f"nsunit has no mounts of type '{kind}'", "use type: bind, volume or tmpfs")
        except NotCarried as lost:
            self.target.remark(lost.reason, lost.instead)

    def _nothing(self, _value: Any) -> None:
        """It is said elsewhere."""


_KEYS: dict[str, Callable[[Service, Any], None]] = {
    "attach": Service._nothing,
    "blkio_config": Service._blkio,
    "build": build,
    "command": Service._command,
    "configs": Service._nothing,
    "container_name": Service._container_name,
    "depends_on": Service._nothing,
    "deploy": deploy,
    "entrypoint": Service._entrypoint,
    "env_file": environment_files,
    "extra_hosts": Service._extra_hosts,
    "healthcheck": Service._healthcheck,
    "image": Service._nothing,
    "links": Service._links,
    "logging": Service._logging,
    "network_mode": Service._network_mode,
    "networks": Service._networks,
    "ports": Service._ports,
    "post_start": Service._hooks,
    "pre_stop": Service._hooks,
    "profiles": Service._nothing,
    "pull_policy": Service._pull_policy,
    "scale": Service._nothing,
    "secrets": Service._nothing,
    "stop_grace_period": Service._stop_grace_period,
    "ulimits": Service._ulimits,
    "volumes": Service._volumes,
}


def keys() -> set[str]:
    """All keys of services that are known."""
    return {*ONE, *EACH, *PAIRS, *_LOST, *_KEYS, "extends"}


def _device(item: Any) -> Any:
    if not isinstance(item, dict):
        return item
    parts = [str(item["source"]), str(item.get("target") or item["source"]), str(item.get("permissions") or "rwm")]
    return ":".join(parts)
