"""The table of system calls, and the rules made from it."""

import errno

import pytest

from nsunit.plan import syscalls
from nsunit.plan.syscalls import Rule, rules_for

ALL = frozenset(syscalls.GUARDED) | {"CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_AUDIT_WRITE"}


def decide(rules: tuple[Rule, ...], name: str, *arguments: int) -> int:
    """Return the errno *rules* answer with; 0 lets the call through.  The meaning of rules, in its shortest form."""
    for rule in rules:
        if name in rule.syscalls and all((arguments[c.argument] & c.mask) == c.value for c in rule.conditions):
            return rule.errno
    return errno.ENOSYS


def names(table: dict[str, str]) -> list[str]:
    return [name for group in table.values() for name in group.split()]


def test_each_call_is_in_one_place():
    once = [*names(syscalls.ALLOWED), *names(syscalls.REFUSED), *set(names(syscalls.GUARDED)), "personality", "socket"]
    assert len(once) == len(set(once))
    assert set(syscalls.ABSENT.split()) & set(once) == {"clone3"}


@pytest.mark.parametrize("call", ["openat", "read", "execve", "futex", "rseq", "accept4", "wait4", "io_submit"])
def test_ordinary_calls_are_allowed(call):
    assert decide(rules_for(()), call) == 0


REFUSED_BY_DEFAULT = (
    "mount umount2 fsopen fsconfig fsmount move_mount open_tree pivot_root setns bpf "
    "perf_event_open userfaultfd open_by_handle_at kexec_load kexec_file_load ptrace process_vm_readv "
    "process_vm_writev chroot init_module reboot swapon syslog quotactl acct ioperm clock_settime vmsplice"
)


@pytest.mark.parametrize("call", REFUSED_BY_DEFAULT.split())
def test_calls_refused_without_capabilities(call):
    assert decide(rules_for(()), call, 0, 0, 0) == errno.EPERM


@pytest.mark.parametrize("call", [*syscalls.ABSENT.split(), "newer_than_us"])
def test_calls_that_are_not_there(call):
    assert decide(rules_for(()), call) == errno.ENOSYS


@pytest.mark.parametrize(
    ("capability", "call"),
    [(capability, call) for capability, group in syscalls.GUARDED.items() for call in group.split()],
)
def test_capability_opens_its_calls(capability, call):
    assert decide(rules_for((capability,)), call, 0xFFFF_FFFF, 0, 0) == 0
    assert decide(rules_for(()), call, 0xFFFF_FFFF, 0, 0) in (errno.EPERM, errno.ENOSYS)


@pytest.mark.parametrize("call", [*names(syscalls.REFUSED), "io_uring_setup"])
def test_no_capability_opens_what_is_refused(call):
    assert decide(rules_for(ALL), call) != 0


@pytest.mark.parametrize("held", [(), tuple(ALL)])
@pytest.mark.parametrize("high", [0, 1 << 32, 0xFFFF_FFFF << 32])
def test_terminal_injection_is_refused_whatever_the_high_half(held, high):
    assert decide(rules_for(held), "ioctl", 0, high | 0x5412) == errno.EPERM
    assert decide(rules_for(held), "ioctl", 0, high | 0x541C) == errno.EPERM
    assert decide(rules_for(held), "ioctl", 0, high | 0x5401) == 0


@pytest.mark.parametrize("call", ["socket", "socketpair"])
@pytest.mark.parametrize("high", [0, 1 << 32])
def test_socket_families(call, high):
    for family in range(64):
        expected = 0 if family in (1, 2, 10, 16) else errno.EAFNOSUPPORT
        assert decide(rules_for(()), call, high | family, 0, 0) == expected
    for family in (38, 40):
        assert decide(rules_for(ALL), call, high | family, 0, 0) == errno.EAFNOSUPPORT


def test_socket_families_of_capabilities():
    assert decide(rules_for(("CAP_NET_RAW",)), "socket", 17, 3, 0) == 0
    assert decide(rules_for(("CAP_NET_ADMIN",)), "socket", 17, 3, 0) == errno.EAFNOSUPPORT
    assert decide(rules_for(("CAP_NET_ADMIN",)), "socket", 31, 3, 0) == 0


def test_audit_socket_takes_its_capability():
    assert decide(rules_for(()), "socket", 16, 3, 9) == errno.EAFNOSUPPORT
    assert decide(rules_for(()), "socket", 16, 3, 0) == 0
    assert decide(rules_for(("CAP_AUDIT_WRITE",)), "socket", 16, 3, 9) == 0


@pytest.mark.parametrize("bit", [1 << 17, 1 << 25, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30])
@pytest.mark.parametrize("call", ["clone", "unshare"])
def test_new_namespaces_are_refused(call, bit):
    assert decide(rules_for(()), call, bit | 17) == errno.EPERM
    assert decide(rules_for(("CAP_SYS_ADMIN",)), call, bit | 17) == 0


def test_fork_thread_and_unshare_without_namespaces():
    assert decide(rules_for(()), "clone", 0x0120_0011) == 0
    assert decide(rules_for(()), "clone", 0x003D_0F00) == 0
    assert decide(rules_for(()), "unshare", 0x400) == 0
    assert decide(rules_for(()), "unshare", 0x80) == errno.EPERM


def test_personality_only_as_it_is_or_32_bit():
    for value in (0, 8, 0x20000, 0x20008, 0xFFFF_FFFF):
        assert decide(rules_for(()), "personality", value) == 0
    assert decide(rules_for(()), "personality", 0x0040000) == errno.EPERM  # ADDR_NO_RANDOMIZE
    assert decide(rules_for(()), "personality", 0x0100000) == errno.EPERM  # MMAP_PAGE_ZERO


def test_order_of_capabilities_does_not_matter():
    assert rules_for(("CAP_SYS_TIME", "CAP_SYS_BOOT")) == rules_for(frozenset({"CAP_SYS_BOOT", "CAP_SYS_TIME"}))
    assert rules_for(("CAP_CHOWN",)) == rules_for(())


def test_name_without_prefix_is_an_error():
    with pytest.raises(ValueError, match="'SYS_ADMIN' is not a capability"):
        rules_for(("SYS_ADMIN",))
