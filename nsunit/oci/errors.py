"""What goes wrong in the runtime; only nsunit.oci.main logs it and exits."""

from __future__ import annotations

from nsunit.errors import NsunitError


class OciError(NsunitError):
    """One line, in the words of runc where engines look for them."""


class SpecError(OciError):
    """config.json, or what is given in its place, asks for what cannot be."""


class UsageError(OciError):
    """The command line is wrong."""
