"""pasta(1) in the set-up plan."""

from facts import OF_ALICE

from nsunit.definition.host import Host
from nsunit.definition.load import load_text
from nsunit.features import operation_of
from nsunit.plan.operations import operations
from nsunit.setup.main import KINDS
from nsunit.setup.operation import dump, parse

BASE = "[Container]\nRootfs=/home/alice/root\nExec=/bin/app\n"


def definition(text=""):
    return load_text("web", BASE + text, "/x", Host(257))


def test_nobody_needs_a_resolver_without_having_asked():
    facts = OF_ALICE.with_extra("pasta", "/usr/bin/pasta").with_extra("names", "/run/n")
    for lines, flags in (("", ("ro", "roots", "spare")), ("DNS=9.9.9.9\n", ("ro", "roots"))):
        planned = operations(definition(f"Network=pasta\n{lines}"), facts)
        assert [one.flags for one in planned if getattr(one, "target", "") == "/etc/resolv.conf"] == [flags]


def test_pasta_makes_the_network():
    planned = operations(definition("Network=pasta\n"), OF_ALICE.with_extra("pasta", "/usr/bin/pasta"))
    keywords = [item.keyword for item in planned]
    assert keywords.index("loopback") + 1 == keywords.index("pasta") < keywords.index("sysctl")
    assert "net" in planned[2].kinds
    assert planned[keywords.index("sysfs")].host == ""
    assert parse(dump(planned), KINDS, operation_of) == planned
