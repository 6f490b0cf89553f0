"""What must hold of explicit id maps, and of `Ownership=chown`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.model import Container

    Entries = tuple[tuple[int, int, int], ...]

LINES_MAX = 340  # user_namespaces(7)


def contradictions(container: Container) -> list[tuple[str, str, str]]:
    """Return what does not fit together, as (key to blame, message, hint)."""
    found = []
    if container.uid_map:
        if container.private_users.mode != "maps":
            found.append(("PrivateUsers", "UIDMap= and GIDMap= say which ids there are", "leave out one of the two"))
        for key, entries in (("UIDMap", container.uid_map), ("GIDMap", container.gid_map)):
            found += [(key, message, hint) for message, hint in _mistakes(entries)]
        # One that is left out is a copy of the other, and has the same mistakes: they are blamed on what was said.
        found += _outside(container)
    if container.ownership == "chown":
        found += _ownership(container)
    return found


def _mistakes(entries: Entries) -> list[tuple[str, str]]:
    found = []
    if not any(inside == 0 for inside, _, _ in entries):
        found.append(("id 0 is not mapped", "nsunit sets a container up as its root, e.g. 0 524288 65536"))
    if len(entries) > LINES_MAX:
        found.append((f"there are more than {LINES_MAX} lines", "the kernel takes no more"))
    for column, where in ((0, "inside"), (1, "outside")):
        spans = sorted((entry[column], entry[column] + entry[2]) for entry in entries)
        for (_, end), (start, _) in zip(spans, spans[1:], strict=False):
            if start < end:
                found.append((f"id {start} {where} is mapped twice", "each id has one counterpart"))
    return found


def _outside(container: Container) -> list[tuple[str, str, str]]:
    named = [("User", container.user, container.uid_map), ("Group", container.group, container.gid_map)]
    named += [("SupplementaryGroups", name, container.gid_map) for name in container.supplementary_groups]
    user = container.private_users.user

    def hint(key: str) -> str:
        if user:
            return f"give '{user}' more ids in /etc/subuid and /etc/subgid"
        return f"add it to {'UIDMap=' if key == 'User' else 'GIDMap='}"

    return [
        (key, f"'{name}' is not mapped", hint(key))
        for key, name, entries in named
        if name is not None
        and name[0] in "0123456789"
        and not any(inside <= int(name) < inside + count for inside, _, count in entries)
    ]


def _ownership(container: Container) -> list[tuple[str, str, str]]:
    if container.rootfs is None:
        return [("Ownership", "layers belong to nobody in particular", "use Rootfs=, or leave it out")]
    if container.read_only or container.volatile:
        key = "ReadOnly" if container.read_only else "Volatile"
        return [("Ownership", f"{key}=yes leaves the files of Rootfs= as they are", "leave out one of the two")]
    if container.private_users.mode not in ("yes", "range"):
        return [("Ownership", "only a range of ids can own the files", "use PrivateUsers=auto or START:COUNT")]
    return []
