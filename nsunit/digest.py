"""SHA-256 without OpenSSL, which hashlib loads: 3 ms of a start that is connected."""

from __future__ import annotations

try:
    from _sha2 import sha256  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # before Python 3.12
    from _sha256 import sha256  # type: ignore[import-not-found,no-redef,unused-ignore]

__all__ = ["hex_digest"]


def hex_digest(content: bytes) -> str:
    """The digest of *content* in hexadecimal."""
    return str(sha256(content).hexdigest())
