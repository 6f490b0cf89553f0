"""What systemd starts to detach a container: a stub started by path, so that the rest comes from cached bytecode."""

import gc
import os
import sys

# The process lives for a moment: a collection costs as much as the links.
gc.disable()
sys.path.append(__file__.rsplit("/", 4)[0])

from nsunit.features.network.program import main  # noqa: E402

os._exit(main(sys.argv))  # tearing the interpreter down takes longer than the links
