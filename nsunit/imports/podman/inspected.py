"""What 'podman inspect' and 'docker inspect' tell of a container, as options of 'docker run'."""

from __future__ import annotations

import json

from nsunit.imports.model import Origin, Unusable
from nsunit.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any


class Options(Record):
    """The container's *options* and the *words* after its image; or the *command* line that has made it."""

    options: list[tuple[str, str]]
    words: list[str]
    command: tuple[str, ...] = ()


# Of HostConfig: numbers and texts that are an option, unless they are empty or 0.
_HOST = {
    "BlkioWeight": "blkio-weight",
    "CpuPeriod": "cpu-period",
    "CpuQuota": "cpu-quota",
    "CpuShares": "cpu-shares",
    "CpusetCpus": "cpuset-cpus",
    "CpusetMems": "cpuset-mems",
    "Memory": "memory",
    "MemoryReservation": "memory-reservation",
    "MemorySwap": "memory-swap",
    "OomScoreAdj": "oom-score-adj",
    "PidsLimit": "pids-limit",
    "ShmSize": "shm-size",
}
_LISTS = {
    "Binds": "volume",
    "CapAdd": "cap-add",
    "CapDrop": "cap-drop",
    "DeviceCgroupRules": "device-cgroup-rule",
    "Dns": "dns",
    "DnsOptions": "dns-option",
    "DnsSearch": "dns-search",
    "ExtraHosts": "add-host",
    "GroupAdd": "group-add",
    "Links": "link",
    "SecurityOpt": "security-opt",
    "VolumesFrom": "volumes-from",
}
_MODES = {"IpcMode": "ipc", "PidMode": "pid", "UTSMode": "uts", "UsernsMode": "userns", "CgroupnsMode": "cgroupns"}
_RATES = {
    "BlkioDeviceReadBps": "device-read-bps",
    "BlkioDeviceReadIOps": "device-read-iops",
    "BlkioDeviceWriteBps": "device-write-bps",
    "BlkioDeviceWriteIOps": "device-write-iops",
}
_LOGS = ("json-file", "journald", "local", "k8s-file", "")  # defaults


def read(path: str, text: str, image_text: str) -> tuple[str, Options]:
    """The name and the options of the container that *text* tells of; what it has of its image is left out.

    Raises:
        Unusable: *text* is not what 'inspect' prints.
    """
    container = _first(path, text)
    image = _first(path, image_text, {}) or {}
    name = str(container.get("Name", "")).removeprefix("/")
    config, host = container.get("Config") or {}, container.get("HostConfig") or {}
    if not config:
        raise Unusable(Origin(path, 0, "Config"), "it tells of no container", "name a container of podman or docker")
    made_by = tuple(map(str, config.get("CreateCommand") or ()))
    if len(made_by) > 2 and {"run", "create"} & set(made_by[:4]):
        return name, Options([], [], made_by)
    of_image = image.get("Config") or {}
    options = [*_config(config, of_image, container), *_host(host), *_networks(container, host)]
    words = list(map(str, config.get("Cmd") or ()))
    if words == list(of_image.get("Cmd") or ()) and not any(name == "entrypoint" for name, _ in options):
        words = []
    return name, Options([*options, ("image", str(config.get("Image") or container.get("ImageName")))], words)


def _first(path: str, text: str, empty: Any = None) -> Any:
    try:
        found = json.loads(text)
    except ValueError:
        raise Unusable(Origin(path, 0, "JSON"), "it is not JSON", "name a container of podman or docker") from None
    if isinstance(found, list) and found and isinstance(found[0], dict):
        return found[0]
    if empty is not None:
        return empty
    raise Unusable(Origin(path, 0, "JSON"), "it tells of no container", "name a container of podman or docker")


def _config(config: dict[str, Any], image: dict[str, Any], container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    entrypoint, of_image = config.get("Entrypoint"), image.get("Entrypoint")
    entrypoint = [entrypoint] if isinstance(entrypoint, str) and entrypoint else entrypoint
    if entrypoint and entrypoint != ([of_image] if isinstance(of_image, str) else of_image):
        yield "entrypoint", json.dumps(entrypoint)
    known = set(image.get("Env") or ())
    for item in config.get("Env") or ():
        if item not in known and not item.startswith(("container=", "HOSTNAME=", "TERM=", "HOME=")):
            yield "env", item
    for key, name in (("User", "user"), ("WorkingDir", "workdir"), ("StopSignal", "stop-signal")):
        value = config.get(key)
        if value and str(value) != str(image.get(key) or "") and (key, str(value)) not in _DEFAULTS:
            yield name, str(value)
    hostname = str(config.get("Hostname") or "")
    if hostname and not str(container.get("Id", "")).startswith(hostname):
        yield "hostname", hostname
    if config.get("Domainname"):
        yield "domainname", str(config["Domainname"])
    for key, value in (config.get("Labels") or {}).items():
        if (image.get("Labels") or {}).get(key) != value:
            yield "label", f"{key}={value}"
    for port in config.get("ExposedPorts") or {}:
        if port not in (image.get("ExposedPorts") or {}):
            yield "expose", port
    if config.get("StopTimeout") is not None:
        yield "stop-timeout", str(config["StopTimeout"])
    if config.get("Tty") or config.get("OpenStdin"):
        yield "tty", "true"
    yield from _health(config.get("Healthcheck") or {}, image.get("Healthcheck") or {})


_DEFAULTS = {("StopSignal", "15"), ("StopSignal", "SIGTERM"), ("WorkingDir", "/")}


def _health(check: dict[str, Any], of_image: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if not check or check == of_image:
        return
    if check.get("Test"):
        yield "health-cmd", json.dumps(check["Test"])
    for key, name in (("Interval", "interval"), ("Timeout", "timeout"), ("StartPeriod", "start-period")):
        if check.get(key):
            yield f"health-{name}", f"{check[key] // 1_000_000}ms"
    if check.get("StartInterval"):
        yield "health-start-interval", f"{check['StartInterval'] // 1_000_000}ms"
    if check.get("Retries"):
        yield "health-retries", str(check["Retries"])


def _host(host: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, name in _HOST.items():
        if host.get(key) and not (key == "PidsLimit" and host[key] == 2048):
            yield name, str(host[key])
    if host.get("NanoCpus"):
        yield "cpus", str(host["NanoCpus"] / 1_000_000_000)
    for key, name in _LISTS.items():
        for item in host.get(key) or ():
            yield name, str(item)
    for key, name in _MODES.items():
        if host.get(key):
            yield name, str(host[key])
    for key, name in _RATES.items():
        for item in host.get(key) or ():
            yield name, f"{item['Path']}:{item['Rate']}"
    for item in host.get("BlkioWeightDevice") or ():
        yield "blkio-weight-device", f"{item['Path']}:{item['Weight']}"
    for item in host.get("Devices") or ():
        yield "device", f"{item['PathOnHost']}:{item['PathInContainer']}:{item.get('CgroupPermissions') or 'rwm'}"
    for item in host.get("DeviceRequests") or ():
        yield "gpus", str(item.get("Count") or "all")
    for item in host.get("Ulimits") or ():
        yield "ulimit", f"{item['Name']}={item['Soft']}:{item['Hard']}"
    for key, value in (host.get("Sysctls") or {}).items():
        yield "sysctl", f"{key}={value}"
    for path, options in (host.get("Tmpfs") or {}).items():
        yield "tmpfs", f"{path}:{options}" if options else path
    for item in host.get("Mounts") or ():
        yield "mount", _mount(item)
    yield from _flags(host)


def _flags(host: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key, name in (("Privileged", "privileged"), ("ReadonlyRootfs", "read-only"), ("Init", "init")):
        if host.get(key):
            yield name, "true"
    if host.get("PublishAllPorts"):
        yield "publish-all", "true"
    if host.get("AutoRemove"):
        yield "rm", "true"
    if host.get("OomKillDisable"):
        yield "oom-kill-disable", "true"
    policy = host.get("RestartPolicy") or {}
    if policy.get("Name"):
        times = policy.get("MaximumRetryCount") or 0
        yield "restart", f"{policy['Name']}:{times}" if times else str(policy["Name"])
    log = host.get("LogConfig") or {}
    if str(log.get("Type") or "") not in _LOGS:
        yield "log-driver", str(log["Type"])
    for key, value in (log.get("Config") or {}).items():
        yield "log-opt", f"{key}={value}"
    if host.get("CgroupParent"):
        yield "cgroup-parent", str(host["CgroupParent"])
    if host.get("Runtime") and host["Runtime"] not in ("runc", "crun", "oci"):
        yield "runtime", str(host["Runtime"])
    for port, places in (host.get("PortBindings") or {}).items():
        number, _, protocol = port.partition("/")
        for place in places or ():
            address = str(place.get("HostIp") or "")
            where = f"[{address}]:" if ":" in address else address and f"{address}:"
            yield "publish", f"{where}{place.get('HostPort') or ''}:{number}/{protocol or 'tcp'}"


def _mount(item: dict[str, Any]) -> str:
    words = [f"type={item.get('Type')}", f"target={item.get('Target')}"]
    if item.get("Source"):
        words.append(f"source={item['Source']}")
    if item.get("ReadOnly"):
        words.append("readonly")
    tmpfs = item.get("TmpfsOptions") or {}
    if tmpfs.get("SizeBytes"):
        words.append(f"tmpfs-size={tmpfs['SizeBytes']}")
    if tmpfs.get("Mode"):
        words.append(f"tmpfs-mode={tmpfs['Mode']:04o}")
    bind = item.get("BindOptions") or {}
    if bind.get("Propagation"):
        words.append(f"bind-propagation={bind['Propagation']}")
    return ",".join(words)


def _networks(container: dict[str, Any], host: dict[str, Any]) -> Iterator[tuple[str, str]]:
    mode = str(host.get("NetworkMode") or "default")
    if mode in ("none", "host") or mode.startswith(("container:", "ns:")):
        yield "network", mode
        return
    joined = (container.get("NetworkSettings") or {}).get("Networks") or {}
    named = [name for name in joined if name not in ("bridge", "podman", "default")]
    for name in named:
        known = joined[name] or {}
        chosen = (known.get("IPAMConfig") or {}).get("IPv4Address")
        yield "network", f"{name}:ip={chosen}" if chosen else name
        for alias in known.get("Aliases") or ():
            if not str(container.get("Id", "")).startswith(alias):
                yield "network-alias", str(alias)
    if not named:
        yield "network", "bridge"
