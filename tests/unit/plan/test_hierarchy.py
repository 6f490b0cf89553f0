import pytest

from nsunit.plan import hierarchy
from nsunit.plan.hierarchy import KNOBS, Level
from nsunit.units import INFINITY

G, M, K = 1 << 30, 1 << 20, 1 << 10
ALL = ("cpuset", "cpu", "io", "memory", "pids")
KNOB = {knob.key: knob for knob in KNOBS}


def level(unit, own=False, asked=None, enabled=ALL, exists=True, **files):
    content = {name.replace("_", "."): text for name, text in files.items()}
    return Level(unit, own, asked or {}, content, enabled, exists)


def explain(key, *levels, **options):
    return hierarchy.explain(KNOB[key], levels, **options)


def memory(*maxima, asked=(None, None, None, None)):
    units = (
        ("nsunit.slice", False),
        ("nsunit-shop.slice", False),
        ("nsunit-shop-web.slice", True),
        ("nsunit-web.service", True),
    )
    return [
        level(unit, own, {"MemoryMax": INFINITY if ask is None else ask}, memory_max=text)
        for (unit, own), text, ask in zip(units, maxima, asked, strict=True)
    ]


@pytest.mark.parametrize(
    ("maxima", "asked", "effective", "tightest", "notes"),
    [
        (("max", "max", "max", "max"), (None,) * 4, None, None, 0),
        (("max", "max", f"{G}", "max"), (None, None, G, None), G, "nsunit-shop-web.slice", 0),
        (("max", f"{512 * M}", f"{G}", "max"), (None, 512 * M, G, None), 512 * M, "nsunit-shop.slice", 1),
        ((f"{M}", f"{512 * M}", f"{G}", "max"), (M, 512 * M, G, None), M, "nsunit.slice", 1),
        # As much as the slice above: it is the container's own limit.
        (("max", f"{G}", f"{G}", "max"), (None, G, G, None), G, "nsunit-shop-web.slice", 0),
        (("max", "max", f"{G}", f"{M}"), (None, None, G, M), M, "nsunit-web.service", 0),
    ],
)
def test_the_tightest_limit(maxima, asked, effective, tightest, notes):
    found = explain("MemoryMax", *memory(*maxima, asked=asked))
    assert (found.effective, found.tightest, len(found.notes)) == (effective, tightest, notes)
    assert found.asked == min((value for value in asked[2:] if value), default=None)
    if notes:
        assert found.notes == (f"MemoryMax= has no effect: {tightest} has a tighter limit",)


def test_what_the_kernel_has_is_of_the_one_that_asks():
    found = explain("MemoryMax", *memory("max", "max", f"{G}\n", "max\n", asked=(None, None, G, None)))
    assert found.kernel == f"{G}\n"
    assert [step.kernel for step in found.steps] == [None, None, G, None]


def test_the_host_is_the_tightest():
    found = explain("MemoryMax", *memory("max", "max", f"{8 * G}", "max", asked=(None, None, 8 * G, None)), host=2 * G)
    assert (found.effective, found.tightest) == (2 * G, "host")
    assert found.notes == ("MemoryMax= has no effect: host has a tighter limit",)


def test_a_cpu_quota():
    levels = (
        level("nsunit.slice", cpu_max="50000 100000\n"),
        level("nsunit-web.slice", True, {"CPUQuotaPerSecUSec": 200_000}, cpu_max="20000 100000\n"),
    )
    found = explain("CPUQuota", *levels, host=2_000_000)
    assert (found.asked, found.effective, found.tightest, found.notes) == (200_000, 200_000, "nsunit-web.slice", ())


def test_a_controller_that_is_missing():
    levels = (
        level("nsunit.slice", enabled=("memory",)),
        level("nsunit-web.slice", True, {"CPUQuotaPerSecUSec": 200_000}, enabled=()),
    )
    found = explain("CPUQuota", *levels)
    assert found.notes == (
        "nsunit-web.slice: CPUQuota= has no effect: the controller cpu is not enabled below nsunit.slice",
    )
    assert found.kernel is None


def test_a_file_the_kernel_lacks():
    levels = (level("nsunit.slice"), level("nsunit-web.slice", True, {"MemoryZSwapMax": G}))
    note = "nsunit-web.slice: MemoryZSwapMax= has no effect: this kernel has no memory.zswap.max"
    assert explain("MemoryZSwapMax", *levels).notes == (note,)


@pytest.mark.parametrize(
    ("above", "own", "effective", "tightest", "notes"),
    [
        ("0", f"{M}", 0, "nsunit.slice", 1),
        (f"{K}", f"{M}", K, "nsunit.slice", 1),
        (f"{G}", f"{M}", M, "nsunit-web.slice", 0),
        ("0", "0", None, None, 0),
    ],
)
def test_protection(above, own, effective, tightest, notes):
    levels = (
        level("nsunit.slice", memory_low=above),
        level("nsunit-web.slice", True, {"MemoryLow": int(own)}, memory_low=own),
        level("nsunit-web.service", True, {"MemoryLow": 0}, memory_low="0"),
    )
    found = explain("MemoryLow", *levels)
    assert (found.effective, found.tightest, len(found.notes)) == (effective, tightest, notes)
    if notes:
        assert found.notes == ("MemoryLow= protects less than it says: nsunit.slice does not protect as much",)


@pytest.mark.parametrize(
    ("above", "own", "mask", "effective", "tightest", "notes"),
    [
        ("", "1\n", b"\x02", (1,), "nsunit-web.slice", ()),
        (
            "0-1\n",
            "0-3\n",
            b"\x0f",
            (0, 1),
            "nsunit.slice",
            ("AllowedCPUs= cannot have all that it asks for: nsunit.slice has less",),
        ),
        ("0-3\n", "", b"", (0, 1, 2, 3), "nsunit.slice", ()),
    ],
)
def test_cpus(above, own, mask, effective, tightest, notes):
    levels = (
        level("nsunit.slice", cpuset_cpus=above),
        level("nsunit-web.slice", True, {"AllowedCPUs": list(mask)}, cpuset_cpus=own),
    )
    found = explain("AllowedCPUs", *levels)
    assert (found.effective, found.tightest, found.notes) == (effective, tightest, notes)


def test_cpus_the_host_does_not_have():
    own = level("nsunit-web.slice", True, {"AllowedCPUs": b"\x09"}, exists=False)
    found = explain("AllowedCPUs", level("nsunit.slice", cpuset_cpus="0-1\n"), own, host=(0, 1, 2))
    assert (found.asked, found.effective) == ((0, 3), (0,))
    assert found.notes == ("AllowedCPUs= cannot have all that it asks for: nsunit.slice has less",)
    found = explain("AllowedCPUs", level("nsunit.slice", cpuset_cpus="\n"), own, host=(0, 1, 2))
    assert found.notes == ("AllowedCPUs= cannot have all that it asks for: host has less",)
    assert explain("AllowedCPUs", level("nsunit-web.slice", True, cpuset_cpus="\n"), host=(0, 1)).effective is None


def test_weights_are_their_own():
    levels = (
        level("nsunit.slice", False, {"CPUWeight": INFINITY}, cpu_weight="100\n"),
        level("nsunit-web.slice", True, {"CPUWeight": 20}, cpu_weight="20\n"),
        level("nsunit-web.service", True, {"CPUWeight": INFINITY}, cpu_weight="100\n"),
    )
    found = explain("CPUWeight", *levels)
    assert (found.asked, found.effective, found.tightest, found.kernel) == (20, 20, "nsunit-web.slice", "20\n")


def test_each_device_has_limits():
    levels = (
        level("nsunit.slice", io_max="8:0 rbps=max wbps=1000 riops=max wiops=max\n"),
        level(
            "nsunit-web.slice",
            True,
            {"IOWriteBandwidthMax": (("8:0", 5000), ("8:16", 7000), ("", 1))},
            io_max="8:0 rbps=max wbps=5000 riops=max wiops=max\n8:16 rbps=max wbps=7000 riops=max wiops=max\n",
        ),
    )
    knob = KNOB["IOWriteBandwidthMax"]
    assert hierarchy.devices_of(levels, knob) == ["8:0", "8:16"]
    assert hierarchy.devices_of(levels, KNOB["IOReadIOPSMax"]) == []
    first, second = (hierarchy.explain(knob, levels, device=device) for device in ("8:0", "8:16"))
    assert (first.asked, first.effective, first.tightest) == (5000, 1000, "nsunit.slice")
    assert first.notes == ("IOWriteBandwidthMax= has no effect: nsunit.slice has a tighter limit",)
    assert (second.asked, second.effective, second.notes) == (7000, 7000, ())


@pytest.mark.parametrize(
    ("key", "asked", "file", "text", "same"),
    [
        ("MemoryMax", 10_000_000, "memory_max", "9998336\n", True),  # whole pages
        ("MemoryMax", 10_000_000, "memory_max", "20000000\n", False),
        ("MemoryMax", 10_000_000, "memory_max", "max\n", False),
        ("CPUQuotaPerSecUSec", 333_333, "cpu_max", "33333 100000\n", True),
        ("CPUQuotaPerSecUSec", 333_333, "cpu_max", "max 100000\n", False),
        ("TasksMax", 10, "pids_max", "11\n", False),
        ("CPUWeight", 0, "cpu_weight", "1\n", True),  # idle
        ("IOWeight", 50, "io_weight", "default 50\n8:0 200\n", True),  # the other is IODeviceWeight=
        ("IOWeight", 50, "io_weight", "default 60\n8:0 50\n", False),
    ],
)
def test_others_who_write(key, asked, file, text, same):
    found = explain(key.removesuffix("PerSecUSec"), level("nsunit-web.slice", True, {key: asked}, **{file: text}))
    name = file.replace("_", ".")
    note = f"nsunit-web.slice: {name} is not what systemd was asked for; 'systemctl daemon-reload' may bring it back"
    assert found.notes == (() if same else (note,))


def test_before_the_start():
    planned = level("nsunit-web.slice", True, {"TasksMax": 50}, exists=False)
    found = explain("TasksMax", level("nsunit.slice", pids_max="10\n"), planned)
    assert found.notes == ("TasksMax= has no effect: nsunit.slice has a tighter limit",)
    assert found.effective == 10
    assert explain("TasksMax", level("nsunit.slice", pids_max="max\n"), planned).effective == 50


def test_what_is_worth_a_line():
    assert not hierarchy.is_said(explain("MemoryMax", *memory("max", "max", "max", "max")))
    assert hierarchy.is_said(explain("MemoryMax", *memory("max", "1", "max", "max", asked=(None, 1, None, None))))
