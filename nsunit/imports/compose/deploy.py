"""`deploy:` of a service: its limits, and how it is restarted."""

from __future__ import annotations

from nsunit.imports.compose.values import pairs, text_of
from nsunit.imports.text import seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nsunit.imports.compose.service import Service

_RESOURCES = {
    "limits": {"cpus": "cpus", "memory": "memory", "pids": "pids-limit"},
    "reservations": {"memory": "memory-reservation"},
}
# What says the same as a key of resources.
_OLDER = (
    ("limits", "cpus", "cpus"),
    ("limits", "cpus", "cpu_quota"),
    ("limits", "cpus", "cpu_period"),
    ("limits", "memory", "mem_limit"),
    ("limits", "pids", "pids_limit"),
    ("reservations", "memory", "mem_reservation"),
)


def take_limits(service: Service) -> None:
    """What deploy: says of limits and restarts is in place of the older keys, as the specification has it."""
    deploy = service.data.get("deploy") or {}
    policy = deploy.get("restart_policy")
    if policy and service.data.get("restart"):
        restart = str(service.data.pop("restart")).partition(":")[0]
        if restart.replace("unless-stopped", "always") != _condition(policy):
            service.at("restart")
            service.target.remark("deploy.restart_policy says otherwise, and counts", "leave out one of the two")
    resources = deploy.get("resources") or {}
    for kind, key, old in _OLDER:
        text = (resources.get(kind) or {}).get(key)
        if text is None or service.data.get(old) is None:
            continue
        if text_of(service.data.pop(old)).lower() != text_of(text).lower():
            service.at(old)
            service.target.remark(
                f"deploy.resources.{kind}.{key} says otherwise, and counts", "leave out one of the two"
            )


def deploy(service: Service, value: dict[str, Any]) -> None:
    """`deploy:`, but for how many there are."""
    resources = value.get("resources") or {}
    for kind, names in _RESOURCES.items():
        for key, text in (resources.get(kind) or {}).items():
            service.at("deploy", "resources", kind, key)
            if key in names:
                service.option(names[key], text)
            else:
                service.target.remark("nothing is reserved of that", "use CPUWeight=, or Device= for devices")
    policy = value.get("restart_policy") or {}
    if policy:
        service.at("deploy", "restart_policy")
        _restart_policy(service, policy)
    for key, items in value.items():
        service.at("deploy", key)
        if key in ("labels",):
            for name, text in pairs(items):
                service.option("label", f"{name}={text_of(text)}")
        elif key not in ("resources", "restart_policy", "replicas"):
            service.target.remark("there is one host, and no scheduler", "leave it out")


def _restart_policy(service: Service, policy: dict[str, Any]) -> None:
    condition = _condition(policy)
    times = policy.get("max_attempts")
    if condition != "no":
        service.target.say("Restart", condition, "Service")
    if times:
        service.target.say("StartLimitBurst", str(int(times) + 1), "Unit")
        window = policy.get("window")
        service.target.say("StartLimitIntervalSec", seconds(str(window)) if window else "infinity", "Unit")
    if policy.get("delay"):
        service.target.say("RestartSec", seconds(str(policy["delay"])), "Service")


def _condition(policy: dict[str, Any]) -> str:
    """Restart= for a policy."""
    return {"any": "always", "none": "no"}.get(str(policy.get("condition") or "any"), "on-failure")
