"""Which system calls a container may make: data, and the rules it becomes for a set of capabilities.

The list starts from what Docker and Podman allow by default and leaves out what a service has no use for.  Three
answers are possible besides yes:

- EPERM for calls that exist and are refused: the caller learns that it lacks a right.
- ENOSYS for every number without a rule, so for calls newer than this list.  C libraries try the newest call first
  and fall back only on ENOSYS; EPERM for an unknown number has broken containers again and again.
- EAFNOSUPPORT for sockets of other families, which is what a kernel without that family says.

Only the native architecture is allowed, so the 32-bit names (`chown32`, `clock_gettime64`, `socketcall`, …) are
absent; a call of another architecture kills the process (see `nsunit.plan.bpf`).  The kernel cuts `int` arguments
down to 32 bits, so conditions on those look at the low half alone: a filter that compares all 64 bits can be passed
by setting a high one.
"""

from __future__ import annotations

import errno

from nsunit.record import Record


class Condition(Record):
    """`(argument & mask) == value`, over the 64 bits the kernel shows to the filter."""

    argument: int
    mask: int
    value: int


class Rule(Record):
    """What becomes of `syscalls` when all `conditions` hold; `errno` 0 lets the call through."""

    syscalls: tuple[str, ...]
    errno: int = 0
    conditions: tuple[Condition, ...] = ()


# By subject: the calls that need no capability.
ALLOWED: dict[str, str] = {
    "files and directories, by name": (
        "access chdir chmod chown creat faccessat faccessat2 fchmodat fchmodat2 fchownat file_getattr file_setattr "
        "futimesat getcwd inotify_add_watch inotify_init inotify_init1 inotify_rm_watch lchown link linkat lstat "
        "mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 readlink readlinkat rename "
        "renameat renameat2 rmdir stat statfs statx symlink symlinkat truncate umask unlink unlinkat utime "
        "utimensat utimes"
    ),
    "open files": (
        "close close_range copy_file_range dup dup2 dup3 fadvise64 fallocate fanotify_mark fchdir fchmod fchown "
        "fcntl fdatasync flock fstat fstatfs fsync ftruncate getdents getdents64 ioctl lseek pipe pipe2 pread64 "
        "preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile splice sync sync_file_range syncfs "
        "tee write writev"
    ),
    "extended attributes": (
        "fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr "
        "lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat"
    ),
    # Only reads what /proc/self/mountinfo shows anyway.
    "mounts, to look at": "listmount statmount",
    "waiting for files": (
        "epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 poll ppoll "
        "pselect6 select"
    ),
    # The older asynchronous I/O; io_uring is refused below.
    "asynchronous I/O": "io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit",
    "memory": (
        "brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall "
        "mmap mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect "
        "remap_file_pages"
    ),
    "processes": (
        "execve execveat exit exit_group fork getpgid getpgrp getpid getppid getsid gettid pidfd_open prctl "
        "process_mrelease setpgid setsid vfork wait4 waitid"
    ),
    "threads": (
        "futex futex_requeue futex_wait futex_waitv futex_wake get_robust_list get_thread_area restart_syscall rseq "
        "set_robust_list set_thread_area set_tid_address"
    ),
    "signals": (
        "kill pause pidfd_send_signal rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn "
        "rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo sigaltstack signalfd signalfd4 tgkill tkill"
    ),
    "scheduling and limits": (
        "getcpu getpriority getrlimit getrusage ioprio_get ioprio_set prlimit64 sched_get_priority_max "
        "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
        "sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield "
        "setpriority setrlimit"
    ),
    # adjtimex and clock_adjtime read the clock's state; changing it takes CAP_SYS_TIME in the initial namespace.
    "clocks and timers": (
        "adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep "
        "setitimer time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create "
        "timerfd_gettime timerfd_settime times"
    ),
    "users, groups and capabilities": (
        "capget capset getegid geteuid getgid getgroups getresgid getresuid getuid setfsgid setfsuid setgid setgroups "
        "setregid setresgid setresuid setreuid setuid"
    ),
    "sockets": (
        "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmmsg recvmsg sendmmsg "
        "sendmsg sendto setsockopt shutdown"
    ),
    "System V and POSIX message queues, semaphores, shared memory": (
        "mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd semctl "
        "semget semop semtimedop shmat shmctl shmdt shmget"
    ),
    "giving up rights": (
        "landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules "
        "lsm_set_self_attr seccomp"
    ),
    "the machine": "getrandom sysinfo uname",
    # Thread-local storage and vector state on x86-64; instruction cache on RISC-V; probes the kernel itself places.
    "one architecture only": "arch_prctl riscv_flush_icache riscv_hwprobe uprobe uretprobe",
}

# What is held like a capability where user namespaces can be made: their root has all of them over what is its own.
NESTING = "Nesting=yes"
_OF_NAMESPACES = (
    "clone clone3 fsconfig fsmount fsopen fspick mount mount_setattr move_mount open_tree open_tree_attr pivot_root "
    "setdomainname sethostname setns umount2 unshare"
)

# Calls that make sense only with a capability.  Without it the kernel would refuse most of them anyway, but only after
# running code that has had its share of holes.
GUARDED: dict[str, str] = {
    "CAP_BPF": "bpf",
    # Opens files by handle, past every mount: the classic way out of a container.
    "CAP_DAC_READ_SEARCH": "open_by_handle_at",
    "CAP_PERFMON": "perf_event_open",
    "CAP_SYS_ADMIN": f"bpf {_OF_NAMESPACES} fanotify_init perf_event_open quotactl quotactl_fd syslog",
    "CAP_SYS_BOOT": "reboot",
    "CAP_SYS_CHROOT": "chroot",
    "CAP_SYS_MODULE": "delete_module finit_module init_module",
    "CAP_SYS_NICE": "get_mempolicy mbind process_madvise set_mempolicy set_mempolicy_home_node",
    "CAP_SYS_PACCT": "acct",
    "CAP_SYS_PTRACE": ("kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace userfaultfd"),
    "CAP_SYS_RAWIO": "ioperm iopl",
    "CAP_SYS_TIME": "clock_settime settimeofday",
    "CAP_SYS_TTY_CONFIG": "vhangup",
    "CAP_SYSLOG": "syslog",
    NESTING: f"chroot {_OF_NAMESPACES}",
}

# Refused whatever the capabilities are.
REFUSED: dict[str, str] = {
    "another kernel, swap": "kexec_file_load kexec_load swapoff swapon",
    # Page tricks behind several kernel exploits; NUMA placement of other processes.
    "memory of others": "migrate_pages move_pages vmsplice",
    # Rarely compiled in or long replaced, and each with a history.
    "leftovers": "lookup_dcookie modify_ldt sysfs uselib ustat",
}

# As on a kernel without them, so that programs use the calls they used before, or go on without.  io_uring runs what it
# is given past this filter; clone3 hides its flags in memory, where a filter cannot look.  Keyrings know no namespaces:
# keys of another container can be reached through a shared user id.  OCI runtimes stop at EPERM there.
ABSENT = "add_key clone3 io_uring_enter io_uring_register io_uring_setup keyctl request_key"

LOW_32 = 0xFFFF_FFFF
ALL_64 = 0xFFFF_FFFF_FFFF_FFFF

# CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.  clone(2) keeps the exit signal where
# CLONE_NEWTIME is, and cannot make a time namespace.
CLONE_NEW_UNSHARE = 0x7E02_0080
CLONE_NEW_CLONE = 0x7E02_0000

# Both put characters into a terminal's input queue as if its user had typed them.
TERMINAL_INJECTION = {"TIOCSTI": 0x5412, "TIOCLINUX": 0x541C}

# Families by the capability they take; the empty name is for everybody.  AF_ALG (38) and AF_VSOCK (40) are nowhere:
# the first is kernel crypto with a record of exploits, the second talks to the hypervisor past any network namespace.
AF_NETLINK = 16
NETLINK_AUDIT = 9
SOCKET_FAMILIES: dict[str, dict[str, int]] = {
    "": {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": AF_NETLINK},
    "CAP_NET_RAW": {"AF_PACKET": 17, "AF_CAN": 29, "AF_XDP": 44},
    "CAP_NET_ADMIN": {"AF_PPPOX": 24, "AF_TIPC": 30, "AF_BLUETOOTH": 31},
}

# PER_LINUX and PER_LINUX32, each with and without UNAME26, and "tell the present one".  Others turn off address
# randomisation or allow mapping page zero.
PERSONALITIES = (0x0, 0x8, 0x2_0000, 0x2_0008, 0xFFFF_FFFF)


def rules_for(capabilities: frozenset[str] | tuple[str, ...]) -> tuple[Rule, ...]:
    """Return the rules for a container that holds *capabilities* (kernel names, `CAP_SYS_ADMIN`, and NESTING).

    The first rule whose conditions hold decides; a call without one is answered with ENOSYS.

    Raises:
        ValueError: a name does not start with `CAP_`; it would silently open nothing.
    """
    held = frozenset(capabilities)
    for name in held:
        if not name.startswith("CAP_") and name != NESTING:
            raise ValueError(f"'{name}' is not a capability")
    guarded = sorted({call for names in GUARDED.values() for call in names.split()})
    opened = sorted({call for name, names in GUARDED.items() if name in held for call in names.split()})
    allowed = sorted(call for names in ALLOWED.values() for call in names.split())
    refused = sorted(call for names in REFUSED.values() for call in names.split())
    return (
        *(Rule(("ioctl",), errno.EPERM, (Condition(1, LOW_32, code),)) for code in TERMINAL_INJECTION.values()),
        *_socket_rules(held),
        *(Rule(("personality",), 0, (Condition(0, ALL_64, value),)) for value in PERSONALITIES),
        Rule(tuple(opened)),
        Rule(("clone",), 0, (Condition(0, CLONE_NEW_CLONE, 0),)),
        Rule(("unshare",), 0, (Condition(0, CLONE_NEW_UNSHARE, 0),)),
        Rule(tuple(allowed)),
        Rule(tuple(ABSENT.split()), errno.ENOSYS),
        Rule((*refused, *guarded, "personality"), errno.EPERM),
    )


def _socket_rules(held: frozenset[str]) -> tuple[Rule, ...]:
    calls = ("socket", "socketpair")
    families = [
        number
        for capability, members in SOCKET_FAMILIES.items()
        if not capability or capability in held
        for number in members.values()
    ]
    # Login programs take EAFNOSUPPORT as "no auditing here" and go on; on EPERM they refuse to log anybody in.
    audit = Rule(calls, errno.EAFNOSUPPORT, (Condition(0, LOW_32, AF_NETLINK), Condition(2, LOW_32, NETLINK_AUDIT)))
    return (
        *(() if "CAP_AUDIT_WRITE" in held else (audit,)),
        *(Rule(calls, 0, (Condition(0, LOW_32, number),)) for number in sorted(families)),
        Rule(calls, errno.EAFNOSUPPORT),
    )
