"""A command of nsunit's that a signal hits before or after one of its own calls."""

import os
import sys


def interrupted(number, when, where, *argv):
    """Run `nsunit ARGV`, with signal *number* at MODULE:FUNCTION *where*; *when* is "before" or "after"."""
    from conftest import warm
    from counts import PATIENCE

    hit = [int(number), when, where]
    done = warm().run(argv, text="", env=os.environ, cwd=os.getcwd(), timeout=120 * PATIENCE, hit=hit)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def prepare(number, when, where):
    """Have the signal come to this process, which is about to be the command, where it calls that.

    A function is called as those modules call it that have it from the one where it is defined; of one that has it from
    another it is the calls of that one alone.
    """
    module, _, path = where.partition(":")
    *owner, name = path.split(".")
    holder = sys.modules[module]
    for part in owner:
        holder = getattr(holder, part)
    original = getattr(holder, name)
    holders = [holder]
    if not owner and original.__module__ == module:
        holders = [item for item in tuple(sys.modules.values()) if item.__dict__.get(name) is original]

    def put(function):
        for item in holders:
            setattr(item, name, function)

    def hit():
        put(original)
        os.kill(os.getpid(), number)

    def wrapped(*arguments, **options):
        if when == "before":
            hit()
        result = original(*arguments, **options)
        if when == "after":
            hit()
        return result

    put(wrapped)
