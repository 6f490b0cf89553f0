"""The entry point of nsunit-setup: a stub started by path, so that the rest comes from cached bytecode."""

import gc
import posix
import sys
import time

begun = time.monotonic_ns()
# The process lives for a moment: a collection, or tearing the interpreter down, each costs more than all its mounts.
gc.disable()
# `-SI` leaves only the standard library on the path; the package stands two directories up.
sys.path.append(__file__.rsplit("/", 3)[0])

from nsunit import bytecode  # noqa: E402

bytecode.preload("helper")
bytecode.use("nsunit")

from nsunit.setup.main import main  # noqa: E402

status = main(sys.argv, begun)
sys.stderr.flush()
posix._exit(status)
