"""What the tests in the machine share. They run as root, against the installed package."""

import functools
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from counts import PATIENCE
from marks import fault, in_user_mode, is_elsewhere
from warm import Warm

DEFINITIONS = Path("/etc/nsunit")
CGROUPS = Path("/sys/fs/cgroup/nsunit.slice")
RUNTIME = Path("/run/nsunit")
STATE = Path("/var/lib/nsunit/containers")
CONTROLLERS = (*Path("/sys/fs/cgroup/cgroup.controllers").read_text().split(), "cgroup")
PROPERTIES = {
    "cpu.weight": "CPUWeight",
    "memory.high": "MemoryHigh",
    "memory.low": "MemoryLow",
    "memory.max": "MemoryMax",
    "pids.max": "TasksMax",
}
Done = subprocess.CompletedProcess[str]
Runner = Callable[..., Done]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What waits for a reboot would be in the way of other tests, so it comes last; who needs a machine says why."""
    for item in items:
        if wrong := fault(item):
            raise pytest.UsageError(f"{item.nodeid}: {wrong}")
        if in_user_mode(item):
            item.add_marker("user_mode")
        if own := item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(own.args[0] * PATIENCE), append=False)
    config.hook.pytest_deselected(items=[item for item in items if is_elsewhere(item)])
    items[:] = [item for item in items if not is_elsewhere(item)]
    items.sort(key=lambda item: item.get_closest_marker("before_reboot") is not None)


@pytest.fixture(scope="session", autouse=True)
def real_system() -> None:
    """Refuse to run anywhere but in the machine: the tests do as they please with the system."""
    if not Path("/usr/lib/nsunit-test/agent.py").exists() or Path("/proc/1/comm").read_text() != "systemd\n":
        pytest.exit("these tests run in the test machine only: tests/run, tests/vm/dev test", returncode=2)


def execute(*words: str, check: bool = True, timeout: float = 120, **options: object) -> Done:
    """Run a command, given as words or as one line for the shell."""
    timeout *= PATIENCE
    if words[0] == "nsunit" and options.keys() <= {"input", "env", "cwd"}:
        done = _run_warm(words[1:], timeout, **options)
    else:
        shell = len(words) == 1
        options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
        done = subprocess.run(
            words[0] if shell else words,
            shell=shell,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            **options,
        )
    if check and done.returncode:
        pytest.fail(f"{words} ended with status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def _run_warm(words: tuple[str, ...], timeout: float, **options: object) -> Done:
    env = options.get("env") or os.environ
    text = str(options.get("input", ""))
    return warm().run(words, text=text, env=env, cwd=str(options.get("cwd", os.getcwd())), timeout=timeout)


@functools.cache
def warm() -> Warm:
    """The process that forks for every command of nsunit."""
    return Warm()


def group_cgroup(group: str) -> Path:
    """The cgroup of a group, `shop-eu` for instance; that of all containers without a name."""
    parts = group.split("-") if group else []
    return CGROUPS.joinpath(*(f"nsunit-{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts))))


def limit_of(group: Path, file: str) -> str:
    """Content of a file in the cgroup of a unit.

    Where there is no such controller: what systemd would write. Tests in machines show that it does.
    """
    if file.partition(".")[0] in CONTROLLERS or file not in PROPERTIES:
        return (group / file).read_text().strip()
    value = execute("systemctl", "show", "--value", f"--property={PROPERTIES[file]}", "--", group.name).stdout.strip()
    return {"infinity": "max", "[not set]": "100"}.get(value, value)


class Container:
    """A container as the host sees it: most questions are answered by /proc and /sys, which is quick."""

    def __init__(self, name: str, group: str = "") -> None:
        self.name = name
        self.group = group
        escaped = name.replace("-", "\\x2d")  # a dash nests slices
        self.service = f"nsunit-{name}.service"
        # An instance's @ stays in the name of the service; a slice cannot have one.
        self.slice = f"nsunit-{group + '-' if group else ''}{escaped}.slice".replace("@", "\\x40")
        self.cgroup = self.group_cgroup / self.slice
        self.state = STATE / name
        self.upper = self.state / "overlay/upper"

    @property
    def group_cgroup(self) -> Path:
        """The cgroup of its group, nsunit.slice where it is in none."""
        return group_cgroup(self.group)

    @property
    def pid(self) -> int:
        """The payload's PID on the host: of its cgroup's processes the one that is process 1 inside."""
        for pid in (self.cgroup / self.service / "payload/cgroup.procs").read_text().split():
            # The helper, too, is there until it has told systemd that the payload runs.
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            numbers = next(line for line in status.splitlines() if "NSpid" in line)
            if numbers.split()[2:] == ["1"]:
                return int(pid)
        pytest.fail(f"{self.name} has no payload")

    @property
    def root(self) -> Path:
        """The container's root, seen from the host."""
        return Path(f"/proc/{self.pid}/root")

    def proc(self, file: str) -> str:
        """Content of a file in the payload's /proc directory."""
        return Path(f"/proc/{self.pid}/{file}").read_text()

    def status(self) -> dict[str, str]:
        """Fields of the payload's /proc/PID/status."""
        fields = (line.partition(":") for line in self.proc("status").splitlines())
        return {key: value.strip() for key, _, value in fields}

    def limit(self, file: str) -> str:
        """Content of a cgroup file of the container's slice, as limit_of() gives it."""
        return limit_of(self.cgroup, file)

    def service_limit(self, file: str) -> str:
        """The same of its service."""
        return limit_of(self.cgroup / self.service, file)

    def group_limit(self, file: str) -> str:
        """The same of its group."""
        return limit_of(self.group_cgroup, file)

    def show(self, *properties: str, unit: str = "") -> dict[str, str]:
        """Properties of the service (or another unit), as systemctl shows them."""
        words = [f"--property={','.join(properties)}"] if properties else []
        shown = execute("systemctl", "show", *words, "--", unit or self.service).stdout
        return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)

    def exec(self, *words: str, **options: object) -> Done:
        """Run a command in it by `nsunit exec`."""
        interactive = ("-i",) if "input" in options else ()
        return execute("nsunit", "exec", *interactive, self.name, *words, **options)

    def report(self, file: str = "tmp/report", timeout: float = 60) -> str:
        """Content of a file that the payload makes, as soon as it is complete: it ends with a line `end`."""
        timeout *= PATIENCE
        deadline = time.monotonic() + timeout
        while True:
            try:
                text = (self.root / file).read_text()
            except FileNotFoundError:
                text = ""
            if text.endswith("end\n"):
                return text.removesuffix("end\n")
            if time.monotonic() > deadline:
                pytest.fail(f"{self.name}: no complete {file} after {timeout} s, only {text!r}")
            time.sleep(0.1)


class Containers:
    """Makes containers for a test, and sees at its end that nothing at all is left of them."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.groups: list[str] = []
        self.files: list[Path] = []

    def define(self, text: str, name: str | None = None, **drop_ins: str) -> str:
        """Write a definition and return the container's name, a new one by default."""
        name = self.own(name or f"t{uuid.uuid4().hex[:8]}")
        DEFINITIONS.mkdir(exist_ok=True)
        self.files.append(DEFINITIONS / f"{name}.nsunit")
        self.files[-1].write_text(text)
        for drop_in, content in drop_ins.items():
            directory = DEFINITIONS / f"{name}.nsunit.d"
            self.files.append(directory)
            directory.mkdir(exist_ok=True)
            (directory / f"{drop_in}.conf").write_text(content)
        return name

    def start(self, text: str, name: str | None = None, **drop_ins: str) -> Container:
        """Define a container and start it."""
        name = self.define(text, name, **drop_ins)
        execute("nsunit", "start", name)
        return Container(name)

    @staticmethod
    def of(name: str, group: str = "") -> Container:
        """Return the container of that name."""
        return Container(name, group)

    def define_group(self, text: str, group: str | None = None) -> str:
        """Write the definition of a group and return its name, a new one by default."""
        group = group or f"g{uuid.uuid4().hex[:8]}"
        self.groups.append(group)
        DEFINITIONS.mkdir(exist_ok=True)
        self.files.append(DEFINITIONS / f"{group}.slice.nsunit")
        self.files[-1].write_text(text)
        return group

    def member(self, group: str, text: str, name: str | None = None) -> Container:
        """Define a container in a group; *text* begins with [Container]."""
        return Container(self.define(text.replace("[Container]", f"[Container]\nSlice={group}", 1), name), group)

    def own(self, name: str) -> str:
        """Take care of a container that the test makes in another way, e.g. an instance or by `nsunit run`."""
        self.names.append(name)
        return name

    def clean(self) -> None:
        """Stop and remove all of them."""
        names = [name for name in self.names if not name.endswith("@")]  # a template itself never runs
        if names:
            execute("nsunit", "rm", "--force", *names, check=False, timeout=120 + len(names))
        for path in self.files:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def left(self) -> list[str]:
        """Everything that is still there of them: units, cgroups, mounts, directories."""
        mounts = Path("/proc/self/mountinfo").read_text()
        units = execute("systemctl", "list-units", "--all", "--plain", "--no-legend", "nsunit-*").stdout
        found = []
        for name in self.names:
            own = Container(name)
            escaped = own.slice.removeprefix("nsunit-").removesuffix(".slice")
            ours = (own.service, own.slice, f"nsunit-{escaped}-", f"nsunit-sd-notify@{escaped}.")
            found += [line for line in units.splitlines() if line.startswith(ours)]
            found += [str(own.cgroup)] if own.cgroup.exists() else []
            places = (STATE / name, RUNTIME / "containers" / name, RUNTIME / "locks" / name)
            found += [str(path) for path in places if path.exists()]
            found += [line for line in mounts.splitlines() if f"containers/{name}" in line]
        for group in self.groups:
            found += [line for line in units.splitlines() if line.startswith((f"nsunit-{group}.", f"nsunit-{group}-"))]
        return found


def _cleaned_up() -> Iterator[Containers]:
    containers = Containers()
    yield containers
    containers.clean()
    # systemd takes down the directory of an ended slice in its own time.
    deadline = time.monotonic() + 20
    while (left := containers.left()) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert left == []


@pytest.fixture(scope="session")
def run() -> Runner:
    """Run a command, given as words or as one line for the shell; `check=True` by default."""
    return execute


@pytest.fixture(scope="session")
def nsunit() -> Runner:
    """Run nsunit with these arguments."""
    return lambda *words, **options: execute("nsunit", *words, **options)


@pytest.fixture
def containers(real_system: None) -> Iterator[Containers]:
    """Make containers for one test; nothing may be left of them at its end."""
    yield from _cleaned_up()


@pytest.fixture
def tidy(real_system: None) -> Iterator[None]:
    """See that a test leaves nothing that no container owns: what `nsunit doctor --check` lists."""
    yield
    done = execute("nsunit", "doctor", "--check", check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing is left\n", "")


@pytest.fixture(scope="module")
def shared(real_system: None) -> Iterator[Containers]:
    """Make containers that all tests of a module share."""
    yield from _cleaned_up()


@pytest.fixture
def define(containers: Containers) -> Callable[..., str]:
    """Write a definition and return the container's name, a new one by default; at the end all of them are gone."""
    return containers.define


@pytest.fixture(scope="module")
def workplace() -> Iterator[Path]:
    """Return an empty directory on the disk: /tmp may be a tmpfs, which old kernels cannot id-map."""
    path = Path("/var/tmp") / f"test-{uuid.uuid4().hex[:8]}"
    path.mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def program(workplace: Path) -> Callable[[str], str]:
    """Write a shell script and return the lines of a definition that run it in a busybox root, gone at stop."""

    def programmer(script: str, *lines: str) -> str:
        layer = workplace / f"program-{uuid.uuid4().hex[:8]}"
        layer.mkdir()
        (layer / "program").write_text(script)
        keys = (f"Layer={layer}", "Layer=/srv/roots/busybox", "Exec=/bin/sh /program")
        kept = [] if "Volatile=no" in lines else ["Volatile=yes"]
        return "\n".join(("[Container]", *keys, *kept, *lines, ""))

    return programmer


@pytest.fixture
def scratch_disk() -> str:
    """Return the path of a 256 MB disk that nothing uses."""
    return os.path.realpath("/dev/disk/by-id/virtio-scratch")
