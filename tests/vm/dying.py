"""The program that connects a container, killed under way."""

import os

from nsunit.errors import NsunitError
from nsunit.features.network import program
from nsunit.features.network.model.attachment import Attachment
from nsunit.features.network.wire import links, nft, ruleset

LOCKS = "/run/nsunit/locks"


def die_at(step: int, item: Attachment, namespace: str) -> bool:
    """Connect *item* in a process that is killed at its *step*th message to the kernel, transaction, or note of one.

    False if it has fewer.
    """
    pid = os.fork()
    if pid == 0:
        left = [step]

        def deadly(function):
            def call(*arguments, **options):
                left[0] -= 1
                if not left[0]:
                    os.kill(os.getpid(), 9)
                return function(*arguments, **options)

            return call

        status = 1
        try:
            links.Route._ask = deadly(links.Route._ask)
            nft.apply = deadly(nft.apply)
            ruleset.note = deadly(ruleset.note)
            program.make_way(item, LOCKS)
            program.attach(item, namespace, LOCKS)
            status = 0
        except NsunitError:
            status = 9  # the part of it that works in the namespace was killed
        finally:
            os._exit(status)
    return os.waitpid(pid, 0)[1] != 0
