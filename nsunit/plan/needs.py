"""The containers that another one cannot do without."""

from __future__ import annotations

from nsunit.names import pod_name, service_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container


def needed_containers(container: Container) -> dict[str, str]:
    """The names of the containers that must run before *container*, each with why."""
    found: dict[str, str] = {}
    if container.names:
        found |= {tunnel.container: "a tunnel leads to" for tunnel in container.names.tunnels}
        found |= {name: "it is linked with" for name, _ in container.names.links}
    if container.chooses_namespaces:
        from nsunit.plan.namespaces import joined_containers

        found |= dict.fromkeys(joined_containers(container), "it shares namespaces with")
    return dict(sorted(found.items()))


def needed_services(container: Container) -> tuple[str, ...]:
    """The services that must run with *container*: those of such containers, and its pod's."""
    names = (*needed_containers(container), *([pod_name(container.pod)] if container.pod else []))
    return tuple(service_name(name) for name in names)
