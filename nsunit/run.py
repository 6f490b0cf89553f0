"""What systemd starts by path, as `python3 -SI run.py MODULE ARGUMENT…`: main() of nsunit.MODULE.

Python keeps bytecode of what is imported, and compiles what is started by path each time: this should stay short.
"""

import gc
import posix
import sys
from _frozen_importlib import module_from_spec
from _frozen_importlib_external import spec_from_file_location

gc.disable()  # nothing is to be found among modules
sys.path.append(__file__.rsplit("/", 2)[0])
# An import would read all names of that directory, which can be hundreds, to find the package.
package = spec_from_file_location("nsunit", sys.path[-1] + "/nsunit/__init__.py")
sys.modules["nsunit"] = module_from_spec(package)  # type: ignore[arg-type]
from nsunit import bytecode  # noqa: E402

bytecode.use("nsunit")
bytecode.preload(sys.argv[1])
__import__("nsunit.light")  # before what imports os
__import__("nsunit." + sys.argv[1])
gc.freeze()
gc.enable()

status = sys.modules["nsunit." + sys.argv[1]].main(sys.argv[1:])
sys.stderr.flush()
posix._exit(status)  # tearing the interpreter down takes longer than much of what is done here
