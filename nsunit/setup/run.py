"""The entry point of nsunit-setup: a stub started by path, so that the rest comes from cached bytecode."""

import sys

# `-SI` leaves only the standard library on the path; the package stands two directories up.
sys.path.append(__file__.rsplit("/", 3)[0])

from nsunit.setup.main import main  # noqa: E402

sys.exit(main(sys.argv))
