"""What the command nsunit-oci starts by path, as the helper: a stub, so that the rest comes from cached bytecode."""

import gc
import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import spec_from_file_location

# The process lives for a moment: a collection costs more than all it does.
gc.disable()
# `-SI` leaves only the standard library on the path; the package stands two directories up.
sys.path.append(__file__.rsplit("/", 3)[0])
# An import would read all names of that directory, which can be hundreds, to find the package.
package = spec_from_file_location("nsunit", sys.path[-1] + "/nsunit/__init__.py")
sys.modules["nsunit"] = module_from_spec(package)  # type: ignore[arg-type]

from nsunit import bytecode  # noqa: E402

bytecode.preload("oci")
bytecode.use("nsunit")

from nsunit.oci.main import run  # noqa: E402

run()
