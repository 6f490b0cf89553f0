"""Which secrets can be had, and from where."""

from types import SimpleNamespace

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError, NsunitError
from nsunit.features.credentials import deeds
from nsunit.features.credentials.setup import _text

BASE = "[Container]\nRootfs=/srv/root\nVolatile=yes\nExec=/bin/sh\n"


def context(tmp_path, version=257):
    warnings = []
    host = SimpleNamespace(systemd_version=version, has=f"this machine has {version}")
    search = SimpleNamespace(directories=(f"{tmp_path}/nsunit",))
    return SimpleNamespace(user=True, host=host, search=search, warn=warnings.append, warnings=warnings)


def definition(lines):
    return load_text("web", BASE + lines, "web.nsunit", Host(257))


def test_the_store_has_plain_and_encrypted_ones(tmp_path):
    for path in ("credstore/a", "credstore/b", "credstore.encrypted/b", "credstore.encrypted/c"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    facts = SimpleNamespace(with_extra=lambda name, found: (name, found))
    found = deeds.facts(context(tmp_path), definition("Secret=a\nSecret=b\nSecret=c\nSecret=d\n"), facts)
    assert found == (
        "credentials",
        (
            ("LoadCredential", "a", f"{tmp_path}/credstore/a"),
            ("LoadCredential", "b", f"{tmp_path}/credstore/b"),
            ("LoadCredentialEncrypted", "c", f"{tmp_path}/credstore.encrypted/c"),
        ),
    )


@pytest.mark.parametrize(
    ("lines", "version", "message"),
    [
        ("Secret=d\n", 257, "Secret=: there is no credential 'd' in "),
        ("[Service]\nLoadCredentialEncrypted=a\n", 255, "encrypted credentials of users need systemd 256"),
    ],
)
def test_what_cannot_be_had(tmp_path, lines, version, message):
    with pytest.raises(DefinitionError) as refused:
        deeds.check(context(tmp_path, version), definition(lines))
    assert message in str(refused.value)


def test_a_literal_is_told_of(tmp_path):
    where = context(tmp_path)
    deeds.check(where, definition("[Service]\nSetCredential=pin:1234\n"))
    (warning,) = where.warnings
    assert "all users can read what SetCredential=pin: says" in warning
    assert "1234" not in warning


def test_no_service_no_credentials(tmp_path):
    with pytest.raises(NsunitError, match="systemd hands out credentials to services"):
        deeds.foreground(context(tmp_path), definition("Secret=a\n"))


def test_as_a_variable_it_is_one_text():
    assert _text("a", b"b\nc\n") == "b\nc"
    with pytest.raises(OSError, match="credential 'a' has a NUL"):
        _text("a", b"b\0c")
