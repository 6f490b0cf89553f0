"""The kernel's own names for limits, which a definition does not take."""

from __future__ import annotations

import pytest
from definitions import container, problems_of

from nsunit.definition.load import Host, load_text
from nsunit.definition.setting import lookup
from nsunit.definition.systemd.kernel import VERSION_1, VERSION_2, refusal
from nsunit.errors import DefinitionError

BASE = "[Container]\nRootfs=/srv/r\nExec=/bin/sh\n"
HOST = Host(257)
QUOTA = "[Service]\nCPUQuota=30%\n"


def problem(text: str) -> tuple[str, str | None]:
    (found,) = problems_of(lambda: container(text))
    return found.message, found.hint


@pytest.mark.parametrize("name", [*VERSION_1, *VERSION_2])
def test_what_is_refused_names_what_there_is(name):
    reason, separator, instead = refusal(name).partition("; ")
    assert reason
    assert separator
    for word in instead.replace(",", "").split():
        key, equals, _ = word.partition("=")
        if equals and not key.startswith("-"):
            sections = [instead.split("[")[1].split("]")[0]] if "[" in instead else ["Slice", "Service"]
            for section in sections:
                found = lookup(section, key)
                assert found is not None and found.refused is None, instead


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("[Slice]\ncpu.shares=5\n", "'cpu.shares': only cgroup version 1 has it", "use CPUWeight="),
        ("[Service]\nmemory.max=5\n", "'memory.max': it is the kernel's own name", "use MemoryMax="),
        ("hugetlb.1GB.max=5\n", "'hugetlb.1GB.max': it is the kernel's own name", "use [Container] HugeTLBMax="),
        (
            "[Slice]\nnet_cls.classid=5\n",
            "'net_cls.classid': only cgroup version 1 has it, nftables matches control groups by themselves",
            "use NFTSet=",
        ),
        (
            "[Slice]\ncpuset.cpus.exclusive=1\n",
            "'cpuset.cpus.exclusive': a partition needs all groups above it to be partitions, and those belong to "
            "systemd",
            "use AllowedCPUs=",
        ),
    ],
)
def test_the_kernels_names_are_refused(text, message, hint):
    assert problem(text) == (message, hint)
    key, _, value = text.rpartition("\n")[0].rpartition("\n")[2].partition("=")
    section, _, rest = key.partition(".")
    with pytest.raises(DefinitionError) as caught:
        load_text("web", BASE, "f", HOST, [(section, rest, value, "nsunit set")])
    assert [(item.message, item.hint) for item in caught.value.problems] == [(message, hint)]
