"""The entry point of nsunit-setup: a stub started by path, so that the rest comes from cached bytecode."""

import gc
import posix
import sys
import time
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import spec_from_file_location

begun = time.monotonic_ns()
# The process lives for a moment: a collection, or tearing the interpreter down, each costs more than all its mounts.
gc.disable()
# `-SI` leaves only the standard library on the path; the package stands two directories up.
sys.path.append(__file__.rsplit("/", 3)[0])
# An import would read all names of that directory, which can be hundreds, to find the package.
package = spec_from_file_location("nsunit", sys.path[-1] + "/nsunit/__init__.py")
sys.modules["nsunit"] = module_from_spec(package)  # type: ignore[arg-type]

from nsunit import bytecode  # noqa: E402

bytecode.preload("helper")
bytecode.use("nsunit")

from nsunit.setup.main import main  # noqa: E402

status = main(sys.argv, begun)
sys.stderr.flush()
posix._exit(status)
