"""Secret= and the credentials of [Service]: what they take, and what becomes of them."""

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text, serialize
from nsunit.definition.setting import lookup
from nsunit.errors import DefinitionError
from nsunit.features.credentials.keys import Secret, of, secret
from nsunit.features.credentials.plan import commands
from nsunit.features.credentials.setup import Credentials
from nsunit.plan.facts import Facts
from nsunit.plan.operations import operations

BASE = "[Container]\nRootfs=/srv/root\nVolatile=yes\nExec=/bin/sh\nUser=web\n"
FACTS = Facts(257, "python3", "run.py", "/run/nsunit/containers/web", user_range=(1 << 20, 1 << 16))


def loaded(lines, version=257):
    return load_text("web", BASE + lines, "web.nsunit", Host(version))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("db", Secret("db", "", "/run/secrets/db")),
        ("db:env=DB", Secret("db", "DB")),
        ("db:target=a/b", Secret("db", "", "/run/secrets/a/b")),
        ("db,target=/etc/db,mode=0440,uid=5,gid=web", Secret("db", "", "/etc/db", 0o440, "5", "web")),
    ],
)
def test_a_secret(text, found):
    assert secret(text) == found


@pytest.mark.parametrize(
    ("section", "lines", "message"),
    [
        ("Container", "Secret=a/b", "'a/b' is not the name of a credential"),
        ("Container", "Secret=a:type=env", "'type=env' is not an option of a secret"),
        ("Container", "Secret=a:env=1", "'1' is not the name of a variable"),
        ("Container", "Secret=a:env=A:uid=1", "'a:env=A:uid=1' is a variable, which has no path and no owner"),
        ("Container", "Secret=a:mode=0666", "'0666' is not the mode of a secret"),
        ("Container", "Secret=a\nSecret=b:target=a", "'/run/secrets/a' is two secrets at once"),
        ("Container", "Environment=A=1\nSecret=a:env=A", "Environment= has the variable 'A' as well"),
        ("Container", "MountNamespace=host\nSecret=a", "nothing is mounted with MountNamespace=host"),
        ("Service", "LoadCredential=a:b/c", "'b/c' is not the name of a credential"),
        ("Service", "LoadCredential=a:/b/../c", "'/b/../c' contains '..'"),
        ("Service", "SetCredential=a", "there is no value"),
        ("Service", "SetCredential=a:\\q", "'\\q' is not an escape"),
        ("Service", "SetCredentialEncrypted=a:?", "'a' has a value that is not Base64"),
        ("Service", "ImportCredential=a*b", "'a*b' is not a name with '*' at its end"),
    ],
)
def test_what_is_refused(section, lines, message):
    with pytest.raises(DefinitionError) as refused:
        loaded(f"[{section}]\n{lines}\n")
    assert any(message in problem.message for problem in refused.value.problems), refused.value.problems


def test_another_name_for_what_is_imported_takes_a_newer_systemd():
    lines = "[Service]\nImportCredential=a.*:b\n"
    (item,) = loaded(lines).properties_of("Service")
    assert (item.name, item.value) == ("ImportCredentialEx", (("a.*", "b"),))
    with pytest.raises(DefinitionError, match=r"renaming one needs systemd 257"):
        loaded(lines, 256)


def test_the_value_of_a_literal_is_as_systemd_has_it():
    definition = loaded("[Service]\nSetCredential=a:100% \\x41\\n\n")
    (item,) = definition.properties_of("Service")
    assert item.value == (("a", b"100% A\n"),)
    assert loaded(serialize(definition).partition("[Service]")[2].join(("[Service]", ""))).properties_of("Service") == (
        item,
    )
    assert lookup("Service", "SetCredential").specifiers is False


def test_systemd_is_told_of_what_only_a_secret_names():
    lines = "Secret=a:env=A\nSecret=b\nSecret=c\nSecret=web.d\n[Service]\nLoadCredential=b:/b\nImportCredential=web.*\n"
    definition = loaded(lines)
    assert of(definition.container).unloaded == ("a", "c")
    facts = FACTS.with_extra("credentials", (("LoadCredentialEncrypted", "a", "/etc/credstore.encrypted/a"),))
    (item,) = commands(definition, facts)
    assert (item.key, item.text, item.property.value) == (
        *("LoadCredentialEncrypted", "a:/etc/credstore.encrypted/a"),
        (("a", "/etc/credstore.encrypted/a"),),
    )


def test_they_are_handed_over_once_all_is_mounted():
    found = operations(loaded("Secret=a:env=A\nSecret=b:uid=7\nTmpfs=/var/x\n"), FACTS)
    (step,) = (item for item in found if isinstance(item, Credentials))
    assert (step.user, step.group) == ("web", "")
    assert step.secrets == ("a:A:0400:::", "b::0400:7::/run/secrets/b")
    keywords = [item.keyword for item in found]
    assert keywords.index("tmpfs") < keywords.index("credentials") < keywords.index("mask")
