"""A command of nsunit's that a signal hits before or after one of its own calls."""

import subprocess

# Runs nsunit's own command line and lets a signal hit it before or after one call.
INTERRUPTED = """\
import os, sys
sys.path.insert(0, "/usr/lib/python3/dist-packages")
number, when, where, *argv = sys.argv[1:]
module, _, path = where.partition(":")
__import__(module)
*owner, name = path.split(".")
holder = sys.modules[module]
for part in owner:
    holder = getattr(holder, part)
original = getattr(holder, name)
def hit():
    setattr(holder, name, original)
    os.kill(os.getpid(), int(number))
def wrapped(*arguments, **options):
    if when == "before":
        hit()
    result = original(*arguments, **options)
    if when == "after":
        hit()
    return result
setattr(holder, name, wrapped)
from nsunit.cli.main import main
sys.exit(main(argv))
"""


def interrupted(number, when, where, *argv):
    """Run `nsunit ARGV`, with signal *number* at MODULE:FUNCTION *where*; *when* is "before" or "after"."""
    words = ["python3", "-SI", "-c", INTERRUPTED, str(int(number)), when, where, *argv]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done
