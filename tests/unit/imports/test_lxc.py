"""No key of LXC's is lost: each has its line, its remark, or says what is so anyway."""

import imports_corpus as corpus
import pytest

from nsunit.imports import find
from nsunit.imports.lxc.config import read
from nsunit.imports.lxc.table import HANDLERS
from nsunit.imports.model import Given

# Those of liblxc 6, with those that LXC 7 has besides, as its table of keys has them; and each of a family.
KEYS = """
    lxc.apparmor.allow_incomplete lxc.apparmor.allow_nesting lxc.apparmor.profile lxc.apparmor.raw lxc.arch
    lxc.autodev lxc.autodev.tmpfs.size lxc.cap.drop lxc.cap.keep lxc.cgroup.dir lxc.cgroup.dir.container
    lxc.cgroup.dir.container.inner lxc.cgroup.dir.monitor lxc.cgroup.dir.monitor.pivot lxc.cgroup.relative
    lxc.console.buffer.size lxc.console.logfile lxc.console.path lxc.console.rotate lxc.console.size lxc.environment
    lxc.environment.hooks lxc.environment.runtime lxc.ephemeral lxc.execute.cmd lxc.group lxc.hook.autodev
    lxc.hook.clone lxc.hook.destroy lxc.hook.mount lxc.hook.post-stop lxc.hook.pre-mount lxc.hook.pre-start
    lxc.hook.start lxc.hook.start-host lxc.hook.stop lxc.hook.version lxc.idmap lxc.init.cmd lxc.init.cwd lxc.init.gid
    lxc.init.groups lxc.init.uid lxc.keyring.session lxc.log.file lxc.log.level lxc.log.syslog
    lxc.monitor.signal.pdeath lxc.monitor.unshare lxc.mount.auto lxc.mount.entry lxc.mount.fstab lxc.namespace.clone
    lxc.namespace.keep lxc.namespace.share.net lxc.no_new_privs lxc.prlimit.nofile lxc.proc.oom_score_adj lxc.pty.max
    lxc.rootfs.managed lxc.rootfs.mount lxc.rootfs.options lxc.rootfs.path lxc.sched.core lxc.seccomp.allow_nesting
    lxc.seccomp.notify.cookie lxc.seccomp.notify.proxy lxc.seccomp.profile lxc.selinux.context
    lxc.selinux.context.keyring lxc.signal.halt lxc.signal.reboot lxc.signal.stop lxc.start.auto lxc.start.delay
    lxc.start.order lxc.sysctl.net.core.somaxconn lxc.time.offset.boot lxc.time.offset.monotonic lxc.tty.dir
    lxc.tty.max lxc.uts.name lxc.cgroup.memory.limit_in_bytes lxc.cgroup2.memory.max lxc.net.0.type lxc.net.0.link
    lxc.net.0.flags lxc.net.0.name lxc.net.0.hwaddr lxc.net.0.mtu lxc.net.0.ipv4.address lxc.net.0.ipv4.gateway
    lxc.net.0.ipv6.address lxc.net.0.ipv6.gateway lxc.net.0.ipvlan.mode lxc.net.0.ipvlan.isolation
    lxc.net.0.macvlan.mode lxc.net.0.veth.mode lxc.net.0.veth.pair lxc.net.0.veth.ipv4.route lxc.net.0.veth.ipv6.route
    lxc.net.0.veth.vlan.id lxc.net.0.veth.vlan.tagged.id lxc.net.0.veth.n_rxqueues lxc.net.0.veth.n_txqueues
    lxc.net.0.vlan.id lxc.net.0.l2proxy lxc.net.0.script.up lxc.net.0.script.down""".split()
VALUES = {
    "lxc.apparmor.allow_nesting": "1",
    "lxc.arch": "i686",
    "lxc.environment": "A=b",
    "lxc.environment.runtime": "A=b",
    "lxc.ephemeral": "1",
    "lxc.idmap": "u 0 100000 65536",
    "lxc.mount.auto": "proc:rw",
    "lxc.mount.entry": "/srv srv none bind 0 0",
    "lxc.namespace.keep": "net",
    "lxc.no_new_privs": "1",
    "lxc.prlimit.nofile": "10",
    "lxc.rootfs.options": "ro",
    "lxc.rootfs.path": "/srv/root",
    "lxc.cgroup.memory.limit_in_bytes": "1G",
    "lxc.cgroup2.memory.max": "1G",
    "lxc.net.0.type": "veth",
    "lxc.net.0.ipv4.address": "192.0.2.2/24",
    "lxc.net.0.mtu": "1400",
}
# What is part of another one's line, or so anyway.
DEFAULTS = {"lxc.execute.cmd", "lxc.rootfs.managed", "lxc.net.0.link", "lxc.net.0.vlan.id"}
DEFAULTS |= {"lxc.net.0.hwaddr", "lxc.net.0.mtu"}


@pytest.mark.parametrize("key", KEYS)
def test_a_key_has_a_line_or_a_remark(key):
    value = VALUES.get(key, "x")
    kind = key.split(".")[3] if key.startswith("lxc.net.0.") and key.count(".") > 3 else "veth"
    kind = kind if kind in ("ipvlan", "macvlan") else "veth"
    text = "lxc.rootfs.path = /srv/r\nlxc.init.cmd = /bin/app\n"
    if key.startswith("lxc.net.0.") and key != "lxc.net.0.type":
        text += f"lxc.net.0.type = {kind}\nlxc.net.0.link = lxcbr0\n"
    text += f"{key} = {value}\n"
    number = len(text.splitlines())
    found = find("lxc").convert(Given((("/var/lib/lxc/box/config", text),)))
    said = [line for draft in found.drafts for line in draft.lines if line.origin.line == number]
    remarks = [remark for remark in found.remarks if remark.origin.line == number]
    assert said or remarks or key in DEFAULTS
    assert not [remark for remark in remarks if "no key of LXC's" in remark.reason]


def test_all_handlers_are_tested():
    old = {"lxc.kmsg", "lxc.pivotdir", "lxc.rootfs.backend"}
    assert HANDLERS.keys() - old <= set(KEYS)


@pytest.mark.parametrize(
    "case", [case for case in corpus.cases() if case.startswith("lxc/") and "/faulty-" not in case]
)
def test_nothing_that_is_said_is_lost(case):
    """Every assignment that no other one overrides has its line, its remark, or is a default."""
    given = corpus.given_of(corpus.parts(case)[0])
    found = find("lxc").convert(given)
    known = {(line.origin.path, line.origin.line) for draft in found.drafts for line in draft.lines}
    known |= {(remark.origin.path, remark.origin.line) for remark in found.remarks}
    skipped = {remark.origin.path for remark in found.remarks if not remark.origin.line}
    lost = []
    for path, text in given.texts:
        if path in skipped:
            continue
        for item in read(path, text, given).said:
            if (item.origin.path, item.origin.line) not in known and (item.key, item.value) not in ANYWAY:
                if item.key.startswith("lxc.net.") and item.key.split(".")[-1] in PARTS:
                    continue
                lost.append(f"{path}: {item.key}={item.value}")
    assert lost == [], lost


# Parts of one Network=, and what is so anyway.
PARTS = {"link", "flags", "name", "hwaddr", "mtu", "id", "address", "gateway", "type"}
ANYWAY = {
    ("lxc.arch", "amd64"),
    ("lxc.arch", "x86_64"),
    ("lxc.autodev", "1"),
    ("lxc.cgroup.devices.allow", "c 10:200 rwm"),
    ("lxc.cgroup.cpu.cfs_period_us", "50000"),
    ("lxc.cgroup.memory.limit_in_bytes", "512M"),
    ("lxc.cgroup2.cpu.max", "max"),
    ("lxc.cgroup2.memory.max", "max"),
    ("lxc.cgroup2.devices.allow", "c *:* m"),
    ("lxc.cgroup2.devices.allow", "c 1:3 rwm"),
    ("lxc.cgroup2.devices.allow", "c 136:* rwm"),
    ("lxc.cgroup2.devices.deny", "a"),
    ("lxc.console.path", "none"),
    ("lxc.execute.cmd", "/bin/never"),
    ("lxc.idmap", "g 0 0 65536"),
    ("lxc.idmap", "g 0 100000 65536"),
    ("lxc.idmap", "u 0 100000 65536"),
    ("lxc.idmap", "u 0 0 65536"),
    ("lxc.idmap", "u 0 1000 1"),
    ("lxc.idmap", "u 1 200000 65535"),
    ("lxc.init.gid", "0"),
    ("lxc.init.uid", "0"),
    ("lxc.mount.auto", "cgroup:mixed proc:mixed sys:mixed"),
    ("lxc.mount.entry", "shm dev/shm tmpfs rw,nodev,noexec,nosuid,relatime,mode=1777,create=dir 0 0"),
    ("lxc.mount.fstab", "/var/lib/lxc/old/fstab"),
    ("lxc.pty.max", "1024"),
    ("lxc.rootfs.managed", "1"),
    ("lxc.rootfs.options", "idmap=container"),
    ("lxc.signal.halt", "SIGRTMIN+3"),
    ("lxc.tty.max", "0"),
    *(("lxc.uts.name", name) for name in ("box", "alp")),
}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("/sbin/app  a\tb", "/sbin/app a b"),
        (r"""/app 'c\d' --x="e f" "g 'h'" """, r'''/app "c\\d" "--x=\"e" "f\"" "g 'h'"'''),
        (r"/app a\ b", r"""/app "a\\" b"""),
        ("/app ''", '/app ""'),
    ],
)
def test_words_are_those_of_lxc(text, found):
    """As lxc_string_split_quoted() has them: quotes around whole words only, and no escapes."""
    given = Given((("/var/lib/lxc/box/config", f"lxc.rootfs.path = /srv/r\nlxc.init.cmd = {text}\n"),))
    (draft,) = find("lxc").convert(given).drafts
    assert draft.values("Container", "Exec") == (found,)
