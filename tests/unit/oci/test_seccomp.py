"""Seccomp profiles of runtime-spec: what they answer in the kernel, what is refused, and the cache."""

import errno
import signal

import pytest
import seccomp_profiles as profiles
from seccomp_profiles import LIVING, NATIVE, answers, numbers, profile

from nsunit.oci.spec import seccomp, seccomp_compiler
from nsunit.oci.spec.check.shapes import FieldError

EQ = {"index": 0, "op": "SCMP_CMP_EQ"}


def allow(*names, **more):
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", **more}


def answer(*names, number, **more):
    return {"names": list(names), "action": "SCMP_ACT_ERRNO", "errnoRet": number, **more}


def test_each_call_is_answered_as_its_rule_says():
    said = profile(allow("getppid"), answer("getuid", number=errno.ENOTTY), answer("getgid", number=0))
    assert answers(said, ("getppid",), ("getuid",), ("getgid",), ("getsid", 0)) == [0, errno.ENOTTY, 0, errno.EPERM]


def test_the_default_has_an_errno_of_its_own():
    said = profile(defaultErrnoRet=errno.ENOSYS)
    assert answers(said, ("getuid",), ("mount", 0, 0, 0, 0, 0)) == [errno.ENOSYS] * 2


def test_calls_newer_than_the_profile_are_not_known():
    """As in runc: a C library takes EPERM for the answer to the call, and ENOSYS for an older kernel."""
    last = max(numbers(*LIVING).values())
    said = profile()
    assert answers(said, (last + 1,), (100000,), ("getuid",)) == [errno.ENOSYS, errno.ENOSYS, errno.EPERM]
    assert answers(profile(allow("clone3")), ("clone3", 0, 0), ("getuid",)) == [errno.EINVAL, errno.EPERM]


@pytest.mark.parametrize("default", ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG"])
def test_what_lets_all_through_lets_newer_calls_through(default):
    said = profile(answer("getuid", number=errno.EPERM), default=default)
    assert answers(said, (100000,), ("getuid",)) == [errno.ENOSYS, errno.EPERM]  # the former is the kernel's own
    assert seccomp_compiler.compile_profile(said, profiles.LIBRARY)[:8] == bytes([0x20, 0, 0, 0, 4, 0, 0, 0])


BIG = 0x1_2345_6789


@pytest.mark.parametrize(
    ("operator", "value", "value_two", "holds", "fails"),
    [
        ("EQ", BIG, 0, (BIG,), (BIG - 1, BIG & 0xFFFF_FFFF, BIG + (1 << 32))),
        ("NE", BIG, 0, (BIG & 0xFFFF_FFFF, 0), (BIG,)),
        ("LT", BIG, 0, (0, BIG - 1), (BIG, BIG + 1, 1 << 63)),
        ("LE", BIG, 0, (BIG, 1), (BIG + 1, (1 << 64) - 1)),
        ("GE", BIG, 0, (BIG, 1 << 63), (BIG - 1, 0xFFFF_FFFF)),
        ("GT", BIG, 0, (BIG + 1, 2 << 32), (BIG, 0x1_0000_0000)),
        ("MASKED_EQ", 0xF_0000_000F, 0x1_0000_0002, (0x1_0000_0002, 0x11_FFFF_FFF2), (2, 0x1_0000_0003, 1 << 32)),
    ],
)
def test_comparisons_are_of_64_bits(operator, value, value_two, holds, fails):
    argument = {"index": 3, "value": value, "valueTwo": value_two, "op": f"SCMP_CMP_{operator}"}
    said = profile(answer("getuid", number=errno.EXDEV, args=[argument]))
    calls = [("getuid", 0, 0, 0, number) for number in (*holds, *fails)]
    assert answers(said, *calls) == [errno.EXDEV] * len(holds) + [errno.EPERM] * len(fails)


def test_conditions_hold_together_but_those_on_one_argument_hold_apart():
    first, second = {**EQ, "value": 1}, {**EQ, "index": 1, "value": 2}
    both = profile(answer("getuid", number=errno.EXDEV, args=[first, second]))
    assert answers(both, ("getuid", 1, 2), ("getuid", 1, 3)) == [errno.EXDEV, errno.EPERM]
    either = profile(answer("getuid", number=errno.EXDEV, args=[first, {**EQ, "value": 5}]))
    assert answers(either, ("getuid", 1), ("getuid", 5), ("getuid", 2)) == [errno.EXDEV, errno.EXDEV, errno.EPERM]


def test_of_rules_that_overlap_libseccomp_decides_as_it_does_for_runc():
    """Of one with conditions and one without the latter holds for all, whichever comes first.

    Docker's and podman's profiles say "not equal" in the second: so each has what is meant for it.
    """
    special = answer("getuid", number=errno.EXDEV, args=[{**EQ, "value": 5}])
    calls = ("getuid", 5), ("getuid", 7)
    for rule, expected in ((allow("getuid"), 0), (answer("getuid", number=errno.ENOTTY), errno.ENOTTY)):
        careful = {**rule, "args": [{**EQ, "op": "SCMP_CMP_NE", "value": 5}]}
        for rules in ((special, rule), (rule, special)):
            assert answers(profile(*rules), *calls) == [expected, expected]
        for rules in ((special, careful), (careful, special)):
            assert answers(profile(*rules), *calls) == [errno.EXDEV, expected]


@pytest.mark.parametrize(
    ("action", "ended"),
    [
        ("SCMP_ACT_KILL", signal.SIGSYS),
        ("SCMP_ACT_KILL_THREAD", signal.SIGSYS),
        ("SCMP_ACT_KILL_PROCESS", signal.SIGSYS),
        ("SCMP_ACT_TRAP", signal.SIGSYS),
    ],
)
def test_what_ends_the_process(action, ended):
    said = profile({"names": ["getuid"], "action": action})
    assert profiles.run(said, [("getuid",)]).returncode == -ended


def test_without_a_tracer_what_it_would_be_asked_is_not_there():
    said = profile({"names": ["getuid"], "action": "SCMP_ACT_TRACE", "errnoRet": 5})
    assert answers(said, ("getuid",)) == [errno.ENOSYS]


@pytest.mark.skipif(profiles.MACHINE != "x86_64", reason="x32 is a kind of x86-64")
class TestX32:
    BIT = 0x4000_0000

    def test_its_calls_follow_the_same_rules(self):
        three = ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]
        said = {**profile(answer("getuid", number=errno.EXDEV)), "architectures": three}
        number = numbers("getuid")["getuid"]
        refused = self.BIT + numbers("mount")["mount"]
        calls = ((self.BIT + number,), (refused,), (self.BIT + 100000,), (100000,))
        assert answers(said, *calls) == [errno.EXDEV, errno.EPERM, errno.ENOSYS, errno.ENOSYS]

    def test_without_it_a_call_of_it_ends_the_process(self):
        said = profile(answer("getuid", number=errno.EXDEV))
        assert profiles.run(said, [(self.BIT + 39,)]).returncode == -signal.SIGSYS


def test_names_that_are_not_known_are_left_out_unless_that_is_not_wanted(tmp_path):
    said = profile(allow("nonesuch", "getuid"))
    assert answers(said, ("getuid",)) == [0]
    with pytest.raises(FieldError) as refused:
        seccomp.program_of(said, str(tmp_path / "cache"), strict=True)
    assert str(refused.value) == (
        "linux.seccomp.syscalls[1].names: this libseccomp does not know the system call 'nonesuch'"
    )


def test_a_rule_that_says_what_the_default_says_is_left_out():
    assert answers(profile(answer("getuid", number=errno.EPERM)), ("getuid",)) == [errno.EPERM]


def test_rules_that_contradict_each_other_are_refused():
    said = profile(answer("getuid", number=errno.EXDEV), answer("getuid", number=errno.ENOTTY))
    try:
        program = seccomp_compiler.compile_profile(said, profiles.LIBRARY)
    except FieldError as error:
        assert str(error).startswith("linux.seccomp.syscalls[2] ('getuid'): libseccomp refuses it: ")
    else:
        assert program


def test_a_long_profile_is_a_tree():
    more = ("getuid", "mount", "umount2", "setns", "chroot")
    assert len(LIVING) + len(more) > seccomp_compiler._TREE_FROM
    assert answers(profile(allow(*more)), ("getuid",), ("setsid",)) == [0, errno.EPERM]


@pytest.mark.parametrize(
    ("said", "flags"),
    [
        ({}, 4),
        ({"flags": []}, 0),
        ({"flags": ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"]}, 2),
        ({"flags": ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}, 6),
    ],
)
def test_flags_are_those_of_the_call_and_the_kernel_takes_them(said, flags):
    whole = profile(allow("getuid"), **said)
    seccomp.check_profile(whole)
    assert seccomp.flags_of(whole) == flags
    assert answers(whole, ("getuid",), flags=flags) == [0]


ASKING = {"names": ["getuid"], "action": "SCMP_ACT_NOTIFY"}


def test_a_listener_is_asked_for_by_a_flag():
    said = profile(
        ASKING, listenerPath="/run/agent", listenerMetadata="x", flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]
    )
    seccomp.check_profile(said)
    assert seccomp.flags_of(said) == 8 | 32
    assert answers(said, ("getppid",), flags=8) == [errno.EPERM]


WRONG = [
    ({"defaultAction": None}, "linux.seccomp.defaultAction: it is missing"),
    ({"defaultAction": "SCMP_ACT_ALOW"}, "linux.seccomp.defaultAction: 'SCMP_ACT_ALOW' is not known"),
    (
        {"defaultAction": "SCMP_ACT_NOTIFY"},
        "linux.seccomp.defaultAction: 'SCMP_ACT_NOTIFY' cannot answer all calls: the listener could not be told",
    ),
    (
        {"defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 1},
        "linux.seccomp.defaultErrnoRet: 'SCMP_ACT_KILL' returns none",
    ),
    ({"defaultErrnoRet": -1}, "linux.seccomp.defaultErrnoRet: -1 is not between 0 and 65535"),
    ({"architectures": ["SCMP_ARCH_Z80"]}, "linux.seccomp.architectures[0]: 'SCMP_ARCH_Z80' is not known"),
    ({"flags": ["SECCOMP_FILTER_FLAG_X"]}, "linux.seccomp.flags[0]: 'SECCOMP_FILTER_FLAG_X' is not known"),
    (
        {"flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]},
        "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for 'SCMP_ACT_NOTIFY'",
    ),
    ({"listenerMetadata": "x"}, "linux.seccomp.listenerMetadata: there is no listenerPath that it would be for"),
    ({"syscalls": [{"action": "SCMP_ACT_ALLOW"}]}, "linux.seccomp.syscalls[0].names: it is missing"),
    ({"syscalls": [{"names": ["read"]}]}, "linux.seccomp.syscalls[0].action: it is missing"),
    ({"syscalls": [allow()]}, "linux.seccomp.syscalls[0].names: it is empty"),
    ({"syscalls": [allow("")]}, "linux.seccomp.syscalls[0].names: '' is no system call"),
    ({"syscalls": [allow("read", errnoRet=1)]}, "linux.seccomp.syscalls[0].errnoRet: 'SCMP_ACT_ALLOW' returns none"),
    ({"syscalls": [ASKING]}, "linux.seccomp.listenerPath: it is missing, and 'SCMP_ACT_NOTIFY' needs somebody to ask"),
    (
        {"syscalls": [{**ASKING, "names": ["write"]}], "listenerPath": "/a"},
        "linux.seccomp.syscalls[0].names: 'SCMP_ACT_NOTIFY' cannot be for 'write': the listener could not be told",
    ),
    (
        {"syscalls": [allow("read", args=[{**EQ, "index": 6}])]},
        "linux.seccomp.syscalls[0].args[0].index: 6 is not between 0 and 5",
    ),
    (
        {"syscalls": [allow("read", args=[{**EQ, "op": "SCMP_CMP_IS"}])]},
        "linux.seccomp.syscalls[0].args[0].op: 'SCMP_CMP_IS' is not known",
    ),
    (
        {"syscalls": [allow("read", args=[{**EQ, "value": 1 << 64}])]},
        f"linux.seccomp.syscalls[0].args[0].value: {1 << 64} is not between 0 and {(1 << 64) - 1}",
    ),
]


@pytest.mark.parametrize(("change", "text"), WRONG)
def test_what_cannot_be_had_is_named(change, text):
    with pytest.raises(FieldError) as refused:
        seccomp.check_profile({**profile(), **change})
    assert str(refused.value) == text


def test_an_architecture_that_this_libseccomp_does_not_know_is_named(monkeypatch):
    monkeypatch.setattr(seccomp_compiler._Library, "native", lambda _: 0, raising=False)
    said = {**profile(), "architectures": [NATIVE, "SCMP_ARCH_NEW"]}
    with pytest.raises(FieldError) as refused:
        seccomp_compiler.compile_profile(said, profiles.LIBRARY)
    assert str(refused.value) == "linux.seccomp.architectures: this libseccomp does not know 'SCMP_ARCH_NEW'"


class TestCache:
    def test_a_profile_is_compiled_once(self, tmp_path, monkeypatch):
        first = seccomp.program_of(profile(), str(tmp_path / "cache"))
        monkeypatch.setattr(seccomp_compiler, "compile_profile", None)
        assert seccomp.program_of(profile(), str(tmp_path / "cache")) == first

    def test_what_does_not_change_the_program_makes_no_other_entry(self, tmp_path):
        cache = tmp_path / "cache"
        seccomp.program_of(profile(), str(cache))
        seccomp.program_of(profile(listenerPath="/run/agent"), str(cache))
        assert len(list(cache.iterdir())) == 1
        seccomp.program_of(profile(defaultErrnoRet=38), str(cache))
        seccomp.program_of(profile(), str(cache), strict=True)
        assert len(list(cache.iterdir())) == 3
