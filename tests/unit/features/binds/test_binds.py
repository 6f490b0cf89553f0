"""Options of Bind= by which files become the container's: the steps they are."""

import pytest

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.errors import DefinitionError
from nsunit.features.binds.plan import without_root
from nsunit.features.binds.setup import OneIdBind, OwnedBind
from nsunit.plan.facts import Facts
from nsunit.plan.operations import operations
from nsunit.setup.mounts import Bind

BASE = "[Container]\nRootfs=/srv/root\nVolatile=yes\nExec=/bin/sh\nUser=web\n"
FACTS = Facts(257, "python3", "run.py", "/run/nsunit/containers/web", user_range=(1 << 20, 1 << 16))


def loaded(lines):
    return load_text("web", BASE + lines, "web.nsunit", Host(257))


def test_the_steps():
    definition = loaded("Bind=/srv/a:/a:idmap=1000-33 /srv/b:/b:U,norbind /srv/c\nBindReadOnly=-/srv/d:/d:idmap=0-7\n")
    found = [item for item in operations(definition, FACTS) if isinstance(item, Bind)]
    assert found == [
        OneIdBind("1000", "33", "/srv/a", "/a", ()),
        OwnedBind("web", "", "/srv/b", "/b", ("norbind",)),
        OneIdBind("0", "7", "/srv/d", "/d", ("ro", "optional")),
        Bind("/srv/c", "/srv/c", ()),
    ]
    assert len(list(without_root(definition.container))) == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("Bind=/srv/a:/a:idmap=1", "'1' is no id on disk and one inside"),
        ("Bind=/srv/a:/a:idmap=1-x", "'1-x' is no id on disk and one inside"),
        ("Bind=/srv/a:/a:idmap=1-4294967295", "'1-4294967295' is no id on disk and one inside"),
        ("Bind=/srv/a:/a:idmap=1-2,U", "says twice whose the files are"),
        ("Bind=/usr/share/a:/a:U", "'/usr/share/a' is the host's, and cannot become the container's"),
        ("Bind=/home:/a:U", "'/home' is the host's"),
        ("Bind=/srv/a:/a:idmap=1-65536", "'65536' is outside the container's 65536 ids"),
        ("UIDMap=0 600000 1000\nBind=/srv/a:/a:U", "'U' takes ids that are one range"),
    ],
)
def test_what_is_refused(lines, message):
    with pytest.raises(DefinitionError) as refused:
        loaded(f"{lines}\n")
    assert any(message in problem.message for problem in refused.value.problems), refused.value.problems
