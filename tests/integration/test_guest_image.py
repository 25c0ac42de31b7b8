"""The guest of the libvirt tests keeps its promises, seen with QEMU alone: no libvirt, no control plane."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.integration import guest_image
from tests.integration.plane import install, waiting

_QEMU = {"/usr/bin/qemu-system-x86_64": "qemu-system-x86", "/usr/bin/genisoimage": "genisoimage"}
_UUID = "7a4c2f0e-0b3f-4a57-9d4e-1f6c3b8f2a11"


class Machine:
    """A QEMU process with a config drive, and the sockets to its monitor and its guest agent."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.directory, self.console = directory, directory / "console"
        devices = [
            "-device",
            "virtio-serial",
            "-chardev",
            f"socket,path={directory}/agent,server=on,wait=off,id=a",
        ]
        devices += ["-device", "virtserialport,chardev=a,name=org.qemu.guest_agent.0"]
        devices += ["-qmp", f"unix:{directory}/monitor,server=on,wait=off", "-nic", "user,model=virtio"]
        machine = ["-machine", "pc,accel=tcg", "-m", str(guest_image.MEMORY_MIB), "-display", "none"]
        serial = ["-serial", f"file:{self.console}", "-uuid", _UUID]
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", *machine, *serial, *devices, *arguments], stdin=subprocess.DEVNULL
        )

    def said(self, word: str, count: int = 1, seconds: float = 60) -> list[guest_image.Mark]:
        def probe() -> list[guest_image.Mark]:
            text = self.console.read_text(errors="replace") if self.console.exists() else ""
            found = guest_image.marks(text, word)
            if len(found) < count:
                raise waiting.NotYet(text[-300:])
            return found

        return waiting.until(f"GUEST {word}", probe, seconds)

    def ask(self, socket_name: str, *commands: Mapping[str, object]) -> dict[str, object]:
        """Send JSON lines, wait for the answer to the last one."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(20)
            connection.connect(str(self.directory / socket_name))
            lines = connection.makefile("rw")
            answer: dict[str, object] = {}
            for command in commands:
                lines.write(json.dumps(command) + "\n")
                lines.flush()
                while "return" not in (answer := json.loads(lines.readline())):
                    pass
            return answer


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> guest_image.GuestImage:
    install.ensure_programs(tmp_path_factory.mktemp("apt") / "log", _QEMU)
    return guest_image.ensure()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    started: list[Machine] = []

    def make(*arguments: str) -> Machine:
        started.append(Machine(tmp_path, *arguments))
        return started[-1]

    yield make
    for machine in started:
        machine.process.kill()
        machine.process.wait(10)


def _tree(directory: Path) -> Path:
    latest = directory / "drive/openstack/latest"
    latest.mkdir(parents=True)
    known = {"uuid": _UUID, "hostname": "tiny.example", "meta": {"colour": "green"}}
    (latest / "meta_data.json").write_text(json.dumps(known))
    (latest / "user_data").write_text("first\nsecond\n")
    return directory / "drive"


@pytest.mark.long
def test_from_disk(image: guest_image.GuestImage, start: Callable[..., Machine], tmp_path: Path) -> None:
    iso, disk = tmp_path / "config.iso", tmp_path / "disk"
    command = ["genisoimage", "-quiet", "-J", "-R", "-V", "config-2", "-o", str(iso), str(_tree(tmp_path))]
    subprocess.run(command, check=True, timeout=60)
    shutil.copyfile(image.qcow2, disk)
    machine = start("-drive", f"file={disk},if=virtio,format=qcow2", "-cdrom", str(iso))
    (ready,) = machine.said("ready")
    assert ready.values["uuid"] == _UUID and ready.values["hostname"] == "tiny.example"
    (config,) = machine.said("config")
    assert (config.values["format"], config.values["meta"]) == ("iso9660", '{"colour":"green"}')
    assert machine.said("user-data")[0].text == "first|second|"
    assert machine.said("address")[0].values["ip"] == "10.0.2.15/24"
    assert machine.said("hardware")[0].values["uuid"] == _UUID
    assert machine.said("boots")[0].values == {"vda": "1"}
    password = {"username": "root", "password": "c2VjcmV0", "crypted": False}
    set_password = {"execute": "guest-set-user-password", "arguments": password}
    sync = {"execute": "guest-sync", "arguments": {"id": 4711}}
    assert machine.ask("agent", sync) == {"return": 4711}
    assert machine.ask("agent", set_password) == {"return": {}}
    assert machine.said("agent", 2)[1].values["password"] == "secret"
    # An NMI panics it, and it comes up anew.
    machine.ask("monitor", {"execute": "qmp_capabilities"}, {"execute": "inject-nmi"})
    assert machine.said("boots", 2)[1].values == {"vda": "2"}
    machine.said("ready", 2)
    machine.ask("monitor", {"execute": "qmp_capabilities"}, {"execute": "system_powerdown"})
    assert machine.process.wait(20) == 0


def test_from_its_kernel_with_a_vfat_config_drive(
    image: guest_image.GuestImage, start: Callable[..., Machine], tmp_path: Path
) -> None:
    drive, tree = tmp_path / "config.vfat", _tree(tmp_path)
    commands = (
        ["/usr/sbin/mkfs.vfat", "-n", "CONFIG-2", "-C", str(drive), "8192"],
        ["mcopy", "-s", "-i", str(drive), str(tree / "openstack"), "::"],
    )
    for command in commands:
        subprocess.run(command, check=True, timeout=60, capture_output=True)
    kernel = ("-kernel", str(image.kernel), "-initrd", str(image.initramfs))
    append = ("-append", "root=/dev/vda console=tty0 console=ttyS0")
    machine = start(*kernel, *append, "-drive", f"file={drive},if=virtio,format=raw")
    assert machine.said("ready")[0].values["uuid"] == _UUID
    assert machine.said("config")[0].values["format"] == "vfat"
