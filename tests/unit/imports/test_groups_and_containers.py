"""libcgroup, OpenVZ, Linux-VServer, lmctfy: no parameter is lost, and what is told of what there is no key for."""

import imports_corpus as corpus
import pytest

from nsunit.deeds.imports import sources
from nsunit.errors import NsunitError, UsageError
from nsunit.imports import cgroups, find
from nsunit.imports.libcgroup import group_name
from nsunit.imports.lmctfy.spec import HANDLERS as LMCTFY
from nsunit.imports.lmctfy.textformat import parse
from nsunit.imports.model import Given, NotCarried
from nsunit.imports.openvz.limits import pair
from nsunit.imports.openvz.table import HANDLERS as OPENVZ

# Of vzctl 4 and libvzctl: config[] of vzconfig.c, config_param_map[] of config.c, without what is of the host alone.
VZCTL = """
    IPTABLES NETFILTER KMEMSIZE LOCKEDPAGES PRIVVMPAGES SHMPAGES NUMPROC PHYSPAGES VMGUARPAGES OOMGUARPAGES NUMTCPSOCK
    NUMFLOCK NUMPTY NUMSIGINFO TCPSNDBUF TCPRCVBUF OTHERSOCKBUF DGRAMRCVBUF NUMOTHERSOCK NUMFILE DCACHESIZE DCACHE
    NUMIPTENT IPTENTRIES AVNUMPROC SWAPPAGES CAPABILITY IP_ADDRESS NETDEV HOSTNAME DESCRIPTION NAMESERVER IPV6
    SEARCHDOMAIN DEVICES DEVNODES PCI VE_ROOT VE_PRIVATE TEMPLATE MOUNT_OPTS VE_LAYOUT OSTEMPLATE DEF_OSTEMPLATE
    CPUUNITS CPUUWEIGHT CPULIMIT CPUS CPUMASK NODEMASK ONBOOT CONFIGFILE ORIGIN_SAMPLE DISABLED LOCAL_UID LOCAL_GID
    DISK_QUOTA DISKSPACE DISKINODES QUOTATIME QUOTAUGIDLIMIT MEMINFO VETH NETIF VEID NAME FEATURES IOPRIO IOLIMIT
    IOPSLIMIT BOOTORDER STOP_TIMEOUT VM_OVERCOMMIT IPTABLES_MODULES IP6TABLES CONFIG_CUSTOMIZED VE_STOP_MODE
    SKIP_SYSCTL_SETUP SKIP_ARPDETECT VE_PARALLEL
    TEMPLATES DISK TCPSENDBUF TOTVMPAGES IPCSHMPAGES ANONSHPAGES RSSPAGES OOMGUAR NUMSOCK UNIXSOCKBUF SOCKRCVBUF
    NUMUNIXSOCK JOURNALED_QUOTA CPULIMIT_MHZ CPUWEIGHT DISTRIBUTION TECHNOLOGIES AUTOSTOP VE_TYPE UUID APPLY_IPONLY
    OSRELEASE USE_NET_RPS HA_ENABLE HA_PRIO BINDMOUNT VE_ENVIRONMENT NOATIME AUTOCOMPACT ROOT_DISK SLMMEMORYLIMIT
    SLMMODE BURST_CPU_AVG_USAGE BURST_CPULIMIT TRAFFIC_SHAPING TOTALRATE RATE RATEBOUND MEMGUARANTEE
    MEMGUARANTEE_BYTES PAGECACHE_ISOLATION NUMMEMORYSUBGROUPS NUMNETIF EXT_IP_ADDRESS"""
# Fields of ContainerSpec in lmctfy.proto, of both its versions.
CONTAINER_SPEC = """
    owner owner_group children_limit cpu.scheduling_latency cpu.limit cpu.max_limit cpu.mask
    memory.eviction_priority memory.limit memory.max_limit memory.reservation memory.hugetlbfs_path memory.tmpfs
    memory.swap_limit memory.swap_size memory.compression_sampling_ratio memory.stale_page_age memory.dirty.ratio
    memory.dirty.limit memory.dirty.background_ratio memory.dirty.background_limit memory.kmem_charge_usage
    blockio.device_limit_set.default_limit blockio.device_limit_set.device_limits
    blockio.max_device_limit_set.max_limits diskio.disk_spec.config diskio.priority monitoring.enable_perf_counters
    filesystem.fd_limit device.restrictions_set.restrictions virtual_host.virtual_hostname virtual_host.init
    virtual_host.network.interface virtual_host.network.connection virtual_host.network.virtual_ip"""
# Files of control groups that can be set, of Linux 3.16 (version 1) and 6.12 (version 2).
VERSION_1 = """
    notify_on_release cgroup.clone_children cpu.shares cpu.cfs_quota_us cpu.cfs_period_us cpu.rt_runtime_us
    cpu.rt_period_us cpuset.cpus cpuset.mems cpuset.cpu_exclusive cpuset.mem_exclusive cpuset.mem_hardwall
    cpuset.memory_migrate cpuset.memory_spread_page cpuset.memory_spread_slab cpuset.sched_load_balance
    cpuset.sched_relax_domain_level memory.limit_in_bytes memory.soft_limit_in_bytes memory.memsw.limit_in_bytes
    memory.kmem.limit_in_bytes memory.kmem.tcp.limit_in_bytes memory.swappiness memory.oom_control memory.use_hierarchy
    memory.move_charge_at_immigrate memory.force_empty memory.pressure_level blkio.weight blkio.weight_device
    blkio.leaf_weight blkio.leaf_weight_device blkio.throttle.read_bps_device blkio.throttle.write_bps_device
    blkio.throttle.read_iops_device blkio.throttle.write_iops_device devices.allow devices.deny freezer.state
    net_cls.classid net_prio.ifpriomap hugetlb.2MB.limit_in_bytes pids.max"""
VERSION_2 = """
    cgroup.type cgroup.max.depth cgroup.max.descendants cgroup.freeze cgroup.kill cgroup.pressure cpu.weight
    cpu.weight.nice cpu.idle cpu.max cpu.max.burst cpu.uclamp.min cpu.uclamp.max cpuset.cpus cpuset.mems
    cpuset.cpus.partition cpuset.cpus.exclusive memory.min memory.low memory.high memory.max memory.swap.max
    memory.swap.high memory.zswap.max memory.zswap.writeback memory.oom.group memory.reclaim io.weight io.bfq.weight
    io.max io.latency io.prio.class pids.max hugetlb.2MB.max hugetlb.2MB.rsvd.max rdma.max misc.max dmem.max"""


@pytest.mark.parametrize("key", VZCTL.split())
def test_a_parameter_of_vzctl_is_known(key):
    assert key in OPENVZ


@pytest.mark.parametrize("key", CONTAINER_SPEC.split())
def test_a_field_of_lmctfy_is_known(key):
    assert key in LMCTFY


@pytest.mark.parametrize("name", [*VERSION_1.split(), *VERSION_2.split()])
def test_a_file_of_a_control_group_has_a_key_or_a_reason(name):
    values = {"blkio.weight": "10", "cpu.max": "5 10", "io.max": "8:0 rbps=5", "io.latency": "8:0 target=5"}
    per_device = "8:0 7" if name.endswith("_device") else values.get(name, "c 1:3 rw" if "devices" in name else "7")
    group = {"memory.limit_in_bytes": "5"}
    try:
        found = cgroups.lines(name, per_device, group)
    except NotCarried as lost:
        assert lost.reason
        assert lost.instead
        assert "no file of a control group" not in lost.reason
    else:
        assert found or name == "cpu.cfs_period_us"


@pytest.mark.parametrize(
    ("name", "value", "group", "expected"),
    [
        (
            "cpu.cfs_quota_us",
            "25000",
            {"cpu.cfs_period_us": "50000"},
            [("CPUQuota", "50%"), ("CPUQuotaPeriodSec", "50000us")],
        ),
        ("cpu.cfs_quota_us", "25000", {}, [("CPUQuota", "25%")]),
        ("cpu.cfs_quota_us", "-1", {}, []),
        ("cpu.cfs_period_us", "50000", {}, []),
        ("memory.memsw.limit_in_bytes", "1G", {"memory.limit_in_bytes": "1G"}, [("MemorySwapMax", "0")]),
        ("memory.limit_in_bytes", "-1", {}, []),
        ("memory.soft_limit_in_bytes", "9223372036854771712", {}, []),
        ("cpu.shares", "1024", {}, []),
        ("cpu.shares", "2", {}, [("CPUWeight", "1")]),
        ("blkio.throttle.read_bps_device", "8:0 0", {}, []),
        ("pids.max", "max", {}, []),
        ("devices.deny", "a", {}, [("DevicePolicy", "closed")]),
        ("devices.allow", "a *:* rwm", {}, []),
    ],
)
def test_values_that_count_together_and_those_that_say_nothing(name, value, group, expected):
    assert cgroups.lines(name, value, group) == expected


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("cpu.max", "x", "'x' is not a quota and a period"),
        ("cpu.shares", "x", "'x' is not a number"),
        ("cpu.cfs_period_us", "x", "'x' is not a period"),
        ("memory.memsw.limit_in_bytes", "5", "there is no limit of memory"),
        ("memory.memsw.limit_in_bytes", "5x", "'5x' is not a size"),
        ("io.max", "8 rbps=5", "has no device in front"),
        ("io.max", "8:0 speed=5", "'speed=5' is not a limit"),
        ("cpu.idle", "2", "'2' is neither 0 nor 1"),
        ("devices.allow", "c 1:* r", "is about all devices of a driver"),
        ("devices.allow", "x", "'x' is not about one device"),
        ("devices.deny", "c 1:3 r", "none denies one"),
    ],
)
def test_values_of_no_use(name, value, reason):
    group = {"cpu.cfs_quota_us": "5"} if "period" in name else {}
    group |= {"memory.limit_in_bytes": "5"} if value == "5x" else {}
    with pytest.raises(NotCarried) as caught:
        cgroups.lines(name, value, group)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("5:6", 4096, (20480, 24576)),
        ("5", 0, (5, 5)),
        ("1G", 4096, (1 << 30, 1 << 30)),
        ("1.5M:2P", 4096, (1572864, 8192)),
        ("0:unlimited", 4096, (0, None)),
        ("2147483647:9223372036854775807", 4096, (None, None)),
    ],
)
def test_barrier_and_limit(text, unit, expected):
    assert pair(text, unit) == expected


@pytest.mark.parametrize(("text", "unit"), [("", 0), ("5K", 0), ("x:5", 4096), ("5:", 0), ("1.x", 4096), ("-5", 0)])
def test_no_barrier_and_limit(text, unit):
    if text == "5:":
        assert pair(text, unit) == (5, 5)
        return
    with pytest.raises(NotCarried, match="is no limit"):
        pair(text, unit)


def test_names_of_groups():
    assert group_name("/Shop/eu-west") == "shop-eu_west"
    for path, reason in (("/", "the whole machine"), ("a/b.scope", "systemd's own"), ("ä", "cannot be made the name")):
        with pytest.raises(NotCarried, match=reason):
            group_name(path)


def _values(text):
    return [(field.name, field.value or [inner.value for inner in field.fields]) for field in parse("/a", text)]


def test_the_text_format():
    assert _values("a: 1 b { c: 'x' 'y' } d < e: \"\\n\\x41\\101\" >; f: [1, 2], # no\n g: { }") == [
        *[("a", "1"), ("b", ["xy"]), ("d", ["\nAA"]), ("f", "1"), ("f", "2"), ("g", [])],
    ]


@pytest.mark.parametrize("text", ["a: {", "a", "a: [1", "a: [1 2]", "a: 1 }", "{}", "a: 'x", "a {" * 60])
def test_no_text_format(text):
    with pytest.raises(Exception) as caught:
        parse("/a", text)
    assert type(caught.value).__name__ == "Unusable"


@pytest.mark.parametrize("case", [case for case in corpus.cases() if case.startswith("vserver/")])
def test_no_file_of_a_vserver_is_lost(case):
    given = corpus.given_of(corpus.parts(case)[0])
    try:
        found = corpus.brought(case, given)
    except NsunitError:
        return
    known = {line.origin.path for draft in found.drafts for line in draft.lines}
    known |= {remark.origin.path for remark in found.remarks}
    lost = {path.partition("/etc/vservers/")[2].partition("/")[2] for path, _ in given.texts if path not in known}
    assert lost <= SILENT


# Names, what the tools keep there for themselves, what counts with another file, and what is so anyway.
SILENT = set(
    "vdirbase cache run name uts/context apps/init/style interfaces/0/dev interfaces/2/dev interfaces/2/prefix"
    " interfaces/mask"
    " interfaces/2/ip interfaces/bcast interfaces/1/disabled interfaces/1/ip interfaces/3/nodev interfaces/4/ip"
    " sched/interval"
    " rlimits/memlock.hard rlimits/nproc.hard rlimits/rss.hard rlimits/rss.min rlimits/rss.soft ulimits/core.hard"
    " ulimits/core.soft".split()
)


@pytest.mark.parametrize("case", [case for case in corpus.cases() if case.startswith(("openvz/", "lmctfy/"))])
def test_no_line_is_lost(case):
    given = corpus.given_of(corpus.parts(case)[0])
    try:
        found = corpus.brought(case, given)
    except NsunitError:
        return
    known = {(line.origin.path, line.origin.line) for draft in found.drafts for line in draft.lines}
    known |= {(remark.origin.path, remark.origin.line) for remark in found.remarks}
    lost = {
        line.strip()
        for path, text in given.texts
        for number, line in enumerate(text.splitlines(), 1)
        if (path, number) not in known and ("=" in line or ": " in line) and "{" not in line
    }
    assert {line for line in lost if line.partition("=")[0] not in DEFAULTS and line not in DEFAULTS} == set()


DEFAULTS = {
    *("VERSION ARCH PLATFORM NAME VE_ROOT QUOTATIME MEMGUARANTEE CPUS").split(),
    *('CPUUNITS="1000"', 'IP_ADDRESS="0.0.0.0"', 'VE_LAYOUT="simfs"', 'PHYSPAGES="0:2147483647"'),
    *('ONBOOT="no"', 'VE_PRIVATE="/vz/private/$VEID"'),
}


def test_a_link_to_a_directory_is_where_it_leads_and_not_followed(tmp_path):
    (tmp_path / "root/etc").mkdir(parents=True)
    (tmp_path / "root/etc/passwd").write_text("")
    server = tmp_path / "vservers/web"
    server.mkdir(parents=True)
    (server / "vdir").symlink_to("../../root")
    (server / "run").symlink_to("/nowhere/web")
    (server / "context").write_text("5\n")
    found = sources.gather(find("vserver"), [str(tmp_path / "vservers")], user=False, environ={})
    assert found == [
        (f"{server}/context", "5\n"),
        (f"{server}/run", "/nowhere/web"),
        (f"{server}/vdir", f"{tmp_path}/root"),
    ]


def test_a_pattern_with_a_directory_in_it(tmp_path):
    for path in ("cgconfig.conf", "adduser.conf", "cgconfig.d/a.conf", "cgrules.d/b.conf", "other.d/c.conf"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text("")

    def names(place):
        found = sources.gather(find("libcgroup"), [str(tmp_path / place)], user=False, environ={})
        return [path.removeprefix(f"{tmp_path}/") for path, _ in found]

    assert names("") == ["cgconfig.conf"]
    assert names("cgconfig.d") == ["cgconfig.d/a.conf"]
    assert names("cgrules.d") == ["cgrules.d/b.conf"]


def test_the_name_is_what_is_said():
    found = find("lmctfy").convert(Given((("/a/b.pbtxt", "cpu { limit: 100 }"),), name="jobs"))
    assert [draft.name for draft in found.drafts] == ["jobs.slice"]
    for kind in ("vserver", "openvz"):
        path = "/etc/vservers/a/context" if kind == "vserver" else "/etc/vz/conf/7.conf"
        found = find(kind).convert(Given(((path, ""),), name="other"))
        assert [draft.name for draft in found.drafts] == ["other"]


def test_no_source_of_a_kind_without_places():
    for kind, user in (("lmctfy", False), ("libcgroup", True)):
        with pytest.raises(UsageError, match=f"import {kind}: a file or directory is missing"):
            sources.gather(find(kind), [], user=user, environ={})
