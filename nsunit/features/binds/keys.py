"""What does not go with these options of `Bind=`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.container import Contradiction
    from nsunit.definition.model import Container
    from nsunit.definition.setting import Row

_RANGES = ("yes", "no", "range", "identity")
_COUNT = 65536  # of a container whose ids are allocated

TABLES: dict[str, dict[str, Row]] = {}  # it has no key of its own


def check(container: Container, _name: str, _service: object) -> list[Contradiction]:
    """The ids inside have to be those of one range."""
    users = container.private_users
    found: list[Contradiction] = []
    for bind in container.binds:
        key = "BindReadOnly" if bind.read_only else "Bind"
        if (bind.one_id or bind.owned) and (users.mode not in _RANGES or container.uses("pods")):
            option = "idmap=" if bind.one_id else "U"
            message = f"'{option}' takes ids that are one range of the container's own"
            found.append((key, message, "use idmap, or leave out UIDMap=, UserNamespace= or Pod="))
        elif bind.one_id and users.mode != "no" and bind.one_id[1] >= (users.count or _COUNT):
            message = f"'{bind.one_id[1]}' is outside the container's {users.count or _COUNT} ids"
            found.append((key, message, "name an id inside, e.g. idmap=1000-33"))
    return found
