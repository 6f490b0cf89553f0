"""Containers whose root is a user of the host: `PrivateUsers=lea`, or in systemd's words `[Service] User=lea`."""

from __future__ import annotations

from nsunit.definition.words import wrong
from nsunit.subordinate import maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from nsunit.definition.host import Host
    from nsunit.definition.model import UserRange


def resolve(users: UserRange, host: Host) -> UserRange:
    """*users*, which names a user, with that one's name and maps: root inside is the user, others are subordinate.

    Raises:
        ValueProblem: there is no such user, or it is root.
    """
    account = host.find_user(users.user)
    if account is None:
        message = "is neither auto, no, identity, START:COUNT nor a user of this host"
        raise wrong(users.user, message, "e.g. 524288:65536")
    if account.uid == 0:
        raise wrong(users.user, "is the host's root", "use identity, or no")
    return users.replace(user=account.name, maps=maps(account.uid, account.gid, account.uids, account.gids))
