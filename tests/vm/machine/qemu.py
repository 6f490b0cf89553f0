"""One virtual machine: started, reached over its agent ports, ended."""

import contextlib
import json
import os
import platform
import re
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from . import cache, owned
from .client import Client, Lost, connect, dial_socket

PORTS = 6  # commands that can run in one machine at the same time
SCRATCH_SIZE = 256 << 20
SECOND_NODE = 256  # MB
PROBE_SECONDS = 6
START_SECONDS = 60
BOOT_SECONDS = 480  # 20 in user mode where nothing else runs
END_SECONDS = 10
LINES, LINE = 4, 160  # of a console, and characters of each, that are told with what went wrong

# Debian's programs are built for any x86-64, and glibc takes wider instructions where there are any: emulated ones are
# slower than what they stand for.  Huge pages of 1 GB are there for their limit.
EMULATED_PROCESSOR = "Nehalem,+pdpe1gb"

# No mitigations and self-tests, which cost time, and no watchdogs, which a slow emulation would trip.  Programs are
# always at the same addresses: at others an emulation translates them anew.
KERNEL_ARGUMENTS = (
    "console=ttyS0 quiet loglevel=4 panic=-1 root=/dev/vda rw nokaslr mitigations=off cryptomgr.notests nowatchdog"
    " numa_balancing=disable norandmaps"
    " random.trust_cpu=on no_timer_check systemd.unified_cgroup_hierarchy=1 systemd.show_status=no systemd.log_color=no"
)


def machines() -> Path:
    """Return the directory that holds one directory for every machine."""
    return Path(os.environ.get("NSUNIT_MACHINES") or "/var/tmp/nsunit-machines")


def base_command() -> list[str]:
    """Return the part of the qemu command that the probe and the machines share."""
    # Others go first: what runs natively keeps time, and an emulation has patience.
    return ["nice", "-n4", "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]


def memory_nodes(memory: int, processors: int) -> list[str]:
    """Return qemu's options for that much memory in MB: a node with the processors, and a small one without any."""
    options = ["-m", str(memory)]
    for node, size in enumerate((memory - SECOND_NODE, SECOND_NODE)):
        options += ["-object", f"memory-backend-ram,id=node{node},size={size}M"]
        options += [
            "-numa",
            f"node,nodeid={node},memdev=node{node}" + (f",cpus=0-{processors - 1}" if node == 0 else ""),
        ]
    return options


def version() -> tuple[int, int]:
    """Return qemu's version.

    Up to 8.1 a processor could translate code that another one was just changing and keep what it had seen: the kernel
    patches its own code by way of int3 whenever a first cpuset or CPU quota appears, and dies of one that stays ("Oops:
    int3").  With one thread for all processors nothing changes meanwhile.
    """
    said = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"version (\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def accelerator(image: Path) -> list[str]:
    """Return qemu's options for KVM where a probe boot works with it, else for emulation; the answer is kept.

    /dev/kvm can exist and still not run a stock kernel, so nothing but a boot tells.
    """
    if os.environ.get("NSUNIT_MACHINE_COUNTS"):
        # The guest's clock counts instructions: what a command costs is the same however busy this host is.
        return ["-accel", "tcg,thread=single,tb-size=512", "-cpu", EMULATED_PROCESSOR, "-icount", "shift=0,sleep=off"]
    thread = "multi" if version() >= (8, 1) else "single"
    emulation = ["-accel", f"tcg,thread={thread},tb-size=512", "-cpu", EMULATED_PROCESSOR]
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return emulation
    key = cache.key_of(platform.node(), platform.release(), str((image / "vmlinuz").stat().st_size))
    verdict = cache.directory() / f"kvm-{key}"
    with cache.locked(cache.directory() / ".kvm.lock"):
        if not verdict.exists():
            verdict.write_text("yes" if probe(image) else "no")
            cache.say(f"hardware virtualisation works: {verdict.read_text()}")
    return ["-accel", "kvm", "-cpu", "host"] if verdict.read_text() == "yes" else emulation


def probe(image: Path) -> bool:
    """Return whether the kernel of an image reaches its initramfs under KVM within a few seconds."""
    command = [*base_command(), "-accel", "kvm", "-cpu", "host", "-m", "256", "-serial", "stdio"]
    command += ["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd")]
    command += ["-append", "console=ttyS0 panic=-1 nsunit.probe"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout
    seen, deadline = b"", time.monotonic() + PROBE_SECONDS
    try:
        while b"nsunit-probe-ok" not in seen:
            if not select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return False
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                return False
            seen += data
        return True
    finally:
        process.kill()
        process.wait()


class Housed:
    """What is known by its name and a directory; the object holds no state, all of it is there."""

    def __init__(self, name: str):
        self.name = name
        self.directory = machines() / name

    @property
    def console(self) -> Path:
        """The file with what the machine printed on its console."""
        return self.directory / "console.log"

    def pid(self) -> int | None:
        """Return the process id of a running machine."""
        return owned.noted(self.directory / "pid")

    def make(self, image: Path) -> None:
        """Make its directory anew.  Raises Lost if it runs."""
        if self.pid():
            raise Lost(f"machine {self.name} is running already")
        shutil.rmtree(self.directory, ignore_errors=True)
        owned.own(self.directory)
        self.directory.mkdir(parents=True)
        (self.directory / "image").write_text(image.name)
        scratch = self.directory / "scratch.img"
        scratch.touch()
        os.truncate(scratch, SCRATCH_SIZE)

    def wait_for_boot(self) -> None:
        """Return when systemd has finished starting. Raises Lost if it does not."""
        with self.client(BOOT_SECONDS) as client:
            said = client.started(BOOT_SECONDS)
            if not said.startswith("running"):
                raise Lost(f"the machine did not start properly: {said.strip()}")

    def reboot(self) -> None:
        """Reboot the machine properly; its disks stay. Raises Lost if it does not come back."""
        identity = "cat /proc/sys/kernel/random/boot_id"
        with self.client() as client:
            before = client.output(identity)[1]
            self.on_reboot("reset")
            with contextlib.suppress(Lost):  # it may go down before it has answered
                client.output("systemctl --no-block reboot")
        deadline = time.monotonic() + BOOT_SECONDS
        after = before
        while after == before:
            if time.monotonic() > deadline or not self.pid():
                raise Lost("the machine did not come back after its reboot")
            time.sleep(1)
            with contextlib.suppress(Lost), self.client(2) as client:
                status, said = client.output(identity, timeout=5)
                if status == 0:  # else it was ended, since the machine still goes down
                    after = said
        self.on_reboot("shutdown")
        self.wait_for_boot()

    def on_reboot(self, action: str) -> None:
        """Say what becomes of the machine when its system reboots, if that is not what it does anyway."""

    @contextmanager
    def client(self, timeout: float = 120) -> Iterator[Client]:
        """Connect to the machine; whoever raises Lost meanwhile says what its console said last, too."""
        try:
            with self.connected(timeout) as client:
                yield client
        except Lost as error:
            raise Lost(f"{error}{self.said_last()}") from error

    def connected(self, timeout: float) -> AbstractContextManager[Client]:
        """Connect to the machine.  Raises Lost if that takes longer than `timeout` seconds."""
        raise NotImplementedError

    def said_last(self) -> str:
        """Return what its console said last, empty if that was nothing."""
        said = self.console.read_text(errors="replace") if self.console.exists() else ""
        lines = [line.strip()[:LINE] for line in said.splitlines() if line.strip()]
        return f"; its console said last: {' | '.join(lines[-LINES:])}" if lines else ""

    def stop(self) -> None:
        """End the machine and remove its directory; without complaint if there is none."""
        pid = self.pid()
        if pid:
            owned.end(pid, END_SECONDS)
        shutil.rmtree(self.directory, ignore_errors=True)
        owned.disown(self.directory)


class Machine(Housed):
    """A virtual machine of qemu's by name."""

    def start(self, image: Path, *, memory: int = 2048, tied: bool = False) -> None:
        """Start the machine from an image, which stays untouched; a tied one ends with this thread at the latest.

        Raises Lost if qemu does not start.
        """
        self.make(image)
        command = [*base_command(), *accelerator(image)]
        processors = 1 if "-icount" in command else 2
        command += ["-smp", str(processors), *memory_nodes(memory, processors), *self.devices(image)]
        command += ["-kernel", str(image / "vmlinuz"), "-initrd", str(image / "initrd"), "-append", KERNEL_ARGUMENTS]
        log = self.directory / "qemu.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # The overlay of the root disk is an unlinked file in $TMPDIR, gone with the process.
                env=os.environ | {"TMPDIR": "/var/tmp"},
                preexec_fn=owned.end_with_parent if tied else None,
            )
        owned.note(self.directory / "pid", process.pid)
        deadline = time.monotonic() + START_SECONDS
        while not (self.directory / f"agent.{PORTS - 1}").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                process.kill()
                raise Lost(f"qemu did not start: {log.read_text().strip()}")
            time.sleep(0.05)

    def devices(self, image: Path) -> list[str]:
        """Return qemu's options for the console, the disks and the agent's ports."""
        scratch = self.directory / "scratch.img"
        options = ["-name", f"nsunit-{self.name}", "-serial", f"file:{self.console}"]
        options += ["-qmp", f"unix:{self.directory / 'monitor'},server=on,wait=off"]
        options += ["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]
        # A user-mode kernel locks the whole of the image, which nobody writes to.
        flags_of_root = ",snapshot=on,file.locking=off"
        for serial, disk, flags in (("root", image / "disk.ext4", flags_of_root), ("scratch", scratch, "")):
            options += ["-drive", f"file={disk},format=raw,if=none,id={serial},cache=unsafe{flags}"]
            options += ["-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
        for number in range(PORTS):
            path = self.directory / f"agent.{number}"
            options += ["-chardev", f"socket,id=agent{number},path={path},server=on,wait=off"]
            options += ["-device", f"virtserialport,chardev=agent{number},name=org.nsunit.agent.{number}"]
        return options

    def on_reboot(self, action: str) -> None:
        """Say what qemu does when the guest reboots: "reset" or "shutdown" (QMP's set-action).

        A reboot ends qemu otherwise, which is how a panic is told from a machine that takes its time.
        """
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.directory / "monitor"))
            with connection.makefile("rw") as monitor:
                monitor.readline()  # the greeting
                for command in (
                    {"execute": "qmp_capabilities"},
                    {"execute": "set-action", "arguments": {"reboot": action}},
                ):
                    monitor.write(json.dumps(command) + "\n")
                    monitor.flush()
                    while "return" not in (answer := json.loads(monitor.readline())):
                        if "error" in answer:
                            raise Lost(f"qemu refuses {command['execute']}: {answer['error']['desc']}")

    def connected(self, timeout: float) -> AbstractContextManager[Client]:
        """Connect to the machine."""
        return connect(self.directory, PORTS, timeout, dial_socket)
