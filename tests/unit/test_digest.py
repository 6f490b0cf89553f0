"""The digest that names links, held against hashlib's."""

import hashlib

from nsunit.digest import hex_digest


def test_it_is_sha256():
    for content in (b"", b"web", bytes(range(256)) * 300):
        assert hex_digest(content) == hashlib.sha256(content).hexdigest()
