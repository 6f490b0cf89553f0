"""What the command nsunit-oci starts by path, as the helper: a stub, so that the rest comes from cached bytecode."""

import gc
import sys

# The process lives for a moment: a collection costs more than all it does.
gc.disable()
# `-SI` leaves only the standard library on the path; the package stands two directories up.
sys.path.append(__file__.rsplit("/", 3)[0])

from nsunit import bytecode  # noqa: E402

bytecode.preload("oci")
bytecode.use("nsunit")

from nsunit.oci.main import run  # noqa: E402

run()
