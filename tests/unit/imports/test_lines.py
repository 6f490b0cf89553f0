"""What others have written becomes lines of a definition, and never more of them than it says."""

import pytest

from nsunit.imports import find
from nsunit.imports.model import Draft, Given, Origin, Unusable

REASON = "its value has a line break, ends with a backslash, or is not UTF-8"
HERE = Origin("/f", 1, "k")


@pytest.mark.parametrize("value", ["a\nExec=x", "a\rb", "a\0", "a\\", "a\udcff"])
def test_a_value_that_is_no_line_is_left_out(value):
    draft = Draft("web")
    draft.add("Container", "Hostname", value, HERE)
    draft.add("Container", "DNS", "192.0.2.1", HERE)
    (remark,) = draft.without_broken()
    assert str(remark) == f"/f:1: k: {REASON}; write it in one line, in UTF-8"
    assert draft.text() == "[Container]\n# /f:1\nDNS=192.0.2.1\n"
    draft.add("Container", "Image", value, HERE)
    with pytest.raises(Unusable) as caught:
        draft.without_broken()
    assert caught.value.remark == remark


def test_values_that_are_lines():
    draft = Draft("web")
    for value in ("ä\t%%", '"a\\nb"', "a\\ b", ""):
        draft.add("Container", "Environment", value, HERE)
    assert draft.without_broken() == []


def test_the_name_of_a_file_is_no_line_of_its_own():
    draft = Draft("web", "Imported from /a\nExec=x")
    draft.add("Container", "DNS", "192.0.2.1", Origin("/b\nExec=y", 1, "k"))
    assert draft.text() == "# Imported from /a\\nExec=x\n\n[Container]\n# /b\\nExec=y:1\nDNS=192.0.2.1\n"


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("run", Given(arguments=("docker", "run", "--dns", "a\nExec=x", "nginx"))),
        ("libcgroup", Given((("/cg", 'group a { cpuset { cpuset.cpus = "0\nMemoryMax=1"; } }'),))),
        ("lmctfy", Given((("/a.pbtxt", 'virtual_host { virtual_hostname: "a\\nExec=x" }'),))),
        ("openvz", Given((("/etc/vz/conf/7.conf", 'HOSTNAME="a\\"\n'),))),
        ("vserver", Given((("/v/a/context", ""), ("/v/a/uts/nodename", "a\\")))),
    ],
)
def test_all_formats_are_asked(kind, given):
    found = find(kind).convert(given)
    assert [remark for remark in found.remarks if remark.reason == REASON]
    assert not [line for draft in found.drafts for line in draft.lines if "\n" in line.value or line.value[-1:] == "\\"]


def test_a_root_with_a_line_break_makes_nothing():
    with pytest.raises(Unusable, match="line break"):
        find("vserver").convert(Given((("/v/a/context", ""), ("/v/a/vdir", "/x\nExec=y"))))


def test_masks_of_more_cpus_than_there_can_be():
    for data in ("0x10000000000000000", "-1", " data: ".join("1" for _ in range(129))):
        found = find("lmctfy").convert(Given((("/a.pbtxt", f"cpu {{ mask {{ data: {data} }} }}"),)))
        assert [remark.reason for remark in found.remarks] == ["it has more CPUs than the kernel"]
