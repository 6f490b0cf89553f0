"""Maps of ids that another tool has, and whose the root's files then are."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.imports.podman.target import Target

_ID_MAX = 65536


def take(target: Target, users: list[str], groups: list[str], *, is_shown: bool) -> None:
    """Say the maps, each `INSIDE OUTSIDE COUNT`.

    Unless *is_shown*, by an id-mapped mount, the root's files belong to the ids outside on disk.
    """
    if users == groups and len(users) == 1 and users[0].startswith("0 "):
        _, start, count = users[0].split()
        if start == "0":
            target.say("PrivateUsers", "identity" if int(count) == _ID_MAX else f"{start}:{count}")
            return
        target.say("PrivateUsers", f"{start}:{count}")
        if not is_shown and target.draft.has("Container", "Rootfs"):
            target.say("Ownership", "chown")  # they are the range's already
        return
    for key, texts in (("UIDMap", users), ("GIDMap", groups if groups != users else [])):
        for text in texts:
            target.say(key, text)
    if users and not is_shown:
        target.remark(
            "the tree belongs to these ids on disk, where nsunit expects root's", "move them back, by 'chown' or tar"
        )
