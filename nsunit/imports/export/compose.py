"""A definition as a compose file with one service: options of 'docker run' by the names that they have there."""

from __future__ import annotations

import csv
import json

from nsunit.imports.compose.service import EACH, ONE, PAIRS
from nsunit.imports.export.options import Options
from nsunit.imports.model import NotCarried

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from nsunit.imports.export.source import Source

_TOOL = "compose"
_ONE = {option: key for key, option in ONE.items()}
_EACH = {option: key for key, option in (*EACH.items(), *PAIRS.items())}
_FLAGS = frozenset(("init", "read-only"))
_CHECKS = {"interval", "timeout", "retries", "start-period", "start-interval", "startup-interval"}
_HOSTS = ("none", "host", "bridge")  # networks that are there in any case
_NUMBERS = ("oom_score_adj", "pids_limit")
# What JSON has as it is, and YAML does not.
_ESCAPES = {code: f"\\u{code:04x}" for code in (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF)}


def files(source: Source) -> list[tuple[str, str]]:
    """The text of compose.yaml: JSON in lines, which YAML is as well."""
    made = _Service(source)
    name = source.name.removesuffix("@")
    lines = ["services:", f"  {_json(name)}:"]
    lines += [f"    {key}: {_json(value)}" for key, value in made.keys.items()]
    networks = {name: {"external": True} for name in made.networks}
    volumes = {name: {"external": True} for name in made.volumes}
    for kind, there in (("networks", networks), ("volumes", volumes)):
        lines += [f"{kind}:", *(f"  {_json(name)}: {_json(value)}" for name, value in there.items())] if there else []
    return [("compose.yaml", "\n".join(lines) + "\n")]


class _Service:
    """The keys of the service, and what is there outside of the project."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.keys: dict[str, Any] = {}
        self.networks: dict[str, dict[str, Any]] = {}
        self.volumes: list[str] = []
        self.aliases: list[str] = []
        options = Options(source, tool=_TOOL)
        for item in options.each_plain():
            try:
                self._option(item.name, item.value)
            except NotCarried as lost:
                if item.line is not None:
                    source.remark(item.line, lost.reason, lost.instead)
        if command := options.plain_command():
            self.keys["command"] = command
        self._joined()

    def _option(self, name: str, value: str) -> None:
        if name in _OWN:
            _OWN[name](self, value)
        elif name in _FLAGS:
            self.keys[_ONE[name]] = True
        elif name in _ONE:
            self.keys[_ONE[name]] = int(value) if _ONE[name] in _NUMBERS else value
        elif name in _EACH:
            self._append(_EACH[name], value)
        elif name.startswith("health-") and name.removeprefix("health-") in _CHECKS:
            key = name.removeprefix("health-").replace("startup", "start").replace("-", "_")
            self._check()[key] = int(value) if key == "retries" and value.isdecimal() else value
        else:
            raise NotCarried(f"compose has no --{name}", "use --as run, or --as quadlet")

    def _append(self, key: str, value: Any) -> None:
        self.keys.setdefault(key, []).append(value)

    def _check(self) -> dict[str, Any]:
        found: dict[str, Any] = self.keys.setdefault("healthcheck", {})
        return found

    def _health(self, value: str) -> None:
        if value == "none":
            self._check()["disable"] = True
        else:
            self._check()["test"] = json.loads(value)

    def _group(self, value: str) -> None:
        self.keys["user"] = f"{self.keys.get('user', '0')}:{value}"

    def _user(self, value: str) -> None:
        self.keys["user"] = value + self.keys.get("user", "").removeprefix("0")

    def _userns(self, value: str) -> None:
        if value != "host":
            raise NotCarried("all containers of docker's have the same ids", "use userns-remap in daemon.json")
        self.keys["userns_mode"] = value

    def _network(self, value: str) -> None:
        name, _, options = value.partition(":")
        if name == "ns":
            raise NotCarried("a namespace has no path there", "use --as run")
        if name == "pasta":
            return
        if name == "container" or (name in ("none", "host") and not options):
            self.keys["network_mode"] = value
            return
        said = dict(option.partition("=")[::2] for option in options.split(",") if option)
        address = said.pop("ip", "")
        joined: dict[str, Any] = {("ipv6_address" if ":" in address else "ipv4_address"): address} if address else {}
        joined |= {"mac_address": said.pop("mac")} if "mac" in said else {}
        self.networks[name] = joined
        if said:
            raise NotCarried(f"'{','.join(said)}' is nothing of an interface there", "leave it out")

    def _ip(self, value: str) -> None:
        if not self.networks:
            raise NotCarried("an address is one in a network", "use Network=NAME:address=")
        self.networks[next(iter(self.networks))]["ipv6_address" if ":" in value else "ipv4_address"] = value

    def _joined(self) -> None:
        """Say the networks, whose aliases are theirs."""
        if list(self.networks.items()) == [("bridge", {})] and not self.aliases:
            self.networks = {}
            self.keys["network_mode"] = "bridge"
        elif self.networks:
            if self.aliases:
                self.networks[next(iter(self.networks))]["aliases"] = self.aliases
            self.keys["networks"] = {name: said or None for name, said in self.networks.items()}
        elif self.aliases and "network_mode" not in self.keys:
            self.keys["networks"] = {"default": {"aliases": self.aliases}}
        elif self.aliases:
            line = next(line for line in self.source.lines if line.key == "NetworkAlias")
            self.source.remark(line, "who is in no network has no other names", "use Network=NAME")

    def _secret(self, value: str) -> None:
        raise NotCarried("its content is no file of the project's", "define it there: secrets:, with file:")

    def _ulimit(self, value: str) -> None:
        name, _, limits = value.partition("=")
        soft, _, hard = limits.partition(":")
        found = int(soft) if not hard else {"soft": int(soft), "hard": int(hard)}
        self.keys.setdefault("ulimits", {})[name] = found

    def _mount(self, value: str) -> None:
        """A directory with a colon in its name."""
        (fields,) = csv.reader([value])
        said = dict(field.partition("=")[::2] for field in fields)
        self._append("volumes", self._bind(said["source"], said["target"], set(said)))

    def _volume(self, value: str) -> None:
        parts = value.split(":", 2)
        source = parts[0] if len(parts) > 1 else ""
        if source and not source.startswith("/") and source not in self.volumes:
            self.volumes.append(source)
        options = [option for option in (parts[2] if len(parts) > 2 else "").split(",") if option not in ("", "idmap")]
        if source.startswith("/") and "bind" in options:
            self._append("volumes", self._bind(source, parts[1], set(options)))
        else:
            self._append("volumes", ":".join([*parts[:2], *([",".join(options)] if options else [])]))

    def _bind(self, source: str, where: str, options: set[str]) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "bind", "source": source, "target": where}
        if "ro" in options:
            found["read_only"] = True
        if "bind" in options:
            found["bind"] = {"recursive": "disabled"}
        return found


def _one(key: str, change: Callable[[str], Any] = str) -> Callable[[_Service, str], None]:
    return lambda service, value: service.keys.update({key: change(value)})


def _each(key: str) -> Callable[[_Service, str], None]:
    return lambda service, value: service._append(key, value)


def _lost(reason: str, instead: str) -> Callable[[_Service, str], None]:
    def refuse(_service: _Service, _value: str) -> None:
        raise NotCarried(reason, instead)

    return refuse


_OWN: dict[str, Callable[[_Service, str], None]] = {
    "add-host": _each("extra_hosts"),
    "blkio-weight": _one("blkio_config", lambda value: {"weight": int(value)}),
    "cgroup-conf": _lost("files of the control group are not named there", "use --as quadlet"),
    "entrypoint": _one("entrypoint", json.loads),
    "env-file": _each("env_file"),
    "group": _Service._group,
    "health-cmd": _Service._health,
    "image": _one("image"),
    "ip": _Service._ip,
    "ip6": _Service._ip,
    "mount": _Service._mount,
    "network": _Service._network,
    "network-alias": lambda service, value: service.aliases.append(value),
    "publish": _each("ports"),
    "pull": _one("pull_policy", lambda value: "daily" if value == "newer" else value),
    "rm": _lost("what it writes goes with 'docker compose down' only", "use ReadOnly=yes with Tmpfs="),
    "rootfs": _lost("a service has an image", "'nsunit image import' or 'commit', and Image="),
    "secret": _Service._secret,
    "stop-timeout": _one("stop_grace_period", lambda value: f"{value}s" if value[-1:].isdecimal() else value),
    "ulimit": _Service._ulimit,
    "user": _Service._user,
    "userns": _Service._userns,
    "volume": _Service._volume,
}


def _json(value: Any) -> str:
    """*value* for a compose file, in which a dollar sign begins a variable."""
    return json.dumps(value, ensure_ascii=False).replace("$", "$$").translate(_ESCAPES)
