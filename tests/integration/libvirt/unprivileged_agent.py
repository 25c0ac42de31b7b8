"""The life of a guest under an agent that is not root: run by unprivileged_host.sh, says what it saw."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, sys.argv[1])

from computed import objects
from computed.cmd import wiring
from computed.conf import CONF
from computed.objects.network_model import NetworkInfo
from computed.states import PowerState
from computed.virt.collaborators import Collaborators
from computed.virt.loader import load_driver
from computed.virt.specs import DiskSpec, GuestSpec
from tests.integration.guest_image import marks
from tests.unit.virt.libvirt.design import orders

DIRECTORY = Path(sys.argv[2])
IMAGE_ID = str(uuid.uuid4())
BOOT_SECONDS = 120.0
ROOTWRAP = ("sudo", "-n", "computed-rootwrap", "/etc/computed/rootwrap.conf")


def main() -> None:
    """Boot, reboot, snapshot, delete."""
    CONF([], default_config_files=["/etc/computed/computed.conf"], default_config_dirs=[])
    objects.register_all()
    wiring.prepare_root_helper(CONF)
    wiring.prepare_interfaces(CONF)
    image = DIRECTORY / "image.qcow2"
    driver = load_driver(
        CONF,
        Collaborators(
            show_image=lambda context, image_id: {
                "id": image_id,
                "disk_format": "qcow2",
                "size": image.stat().st_size,
            },
            download_image=lambda context, image_id, offset: iter([image.read_bytes()[offset:]]),
        ),
    )
    seen: dict[str, Any] = {"uid": os.getuid(), "capabilities": capabilities("self")}
    driver.init_host("unprivileged")
    order = spec()
    console = Console(driver, order.instance)

    driver.spawn(None, order)
    console.wait(1)
    seen["owner_of_disk"] = disk_of(order).stat().st_uid
    driver.reboot(None, order, hard=True)
    console.wait(2)
    driver.reboot(None, order, hard=False)
    console.wait(3)
    seen["owner_of_console_log"] = disk_of(order).with_name("console.log").stat().st_uid

    for name in ("live", "cold"):
        target = Target(DIRECTORY / "results" / name)
        driver.snapshot(None, order.instance, target)
        seen[f"{name}_snapshot"] = described(target)
        if name == "live":
            driver.power_off(order.instance, timeout_seconds=30, retry_seconds=5)
    disk = disk_of(order)
    seen["owner_of_stopped_disk"] = disk.stat().st_uid
    seen["has_grown"] = grow(driver, order, 2 << 30)
    seen["owner_of_grown_disk"] = disk.stat().st_uid
    seen["state_after_power_off"] = int(driver.state(order.instance).power_state)
    driver.power_on(None, order)
    console.wait(4)
    seen["boots"] = 4
    seen["helpers"] = helpers()
    seen["refused"] = [refused(*command) for command in COMMANDS]
    driver.destroy(None, order)
    seen["is_running"] = int(PowerState.RUNNING) if driver.has_disks_of(order.instance) else 0
    (DIRECTORY / "results" / "seen").write_text(json.dumps(seen))


def grow(driver: Any, order: GuestSpec, size_bytes: int) -> bool:
    """As a resize does it."""
    engine = driver._engine
    return bool(engine.disks.grow(engine.paths(order.instance), disk_of(order), size_bytes))


def spec() -> GuestSpec:
    """A guest with two ports: in Open vSwitch, and in a Linux bridge that has to be made."""
    ports = [("ovs", "br-int", {"datapath_type": "netdev"}), ("bridge", "brq-test", {})]
    vifs: list[Mapping[str, Any]] = []
    for number, (kind, bridge, details) in enumerate(ports):
        port = str(uuid.uuid4())
        network = {
            "id": str(uuid.uuid4()),
            "bridge": bridge,
            "label": "net",
            "subnets": [],
            "meta": {"mtu": 1400},
        }
        vifs.append(
            {
                "id": port,
                "address": f"fa:16:3e:00:00:0{number}",
                "network": network,
                "type": kind,
                "details": details,
                "devname": f"tap{port}"[:14],
                "ovs_interfaceid": port,
                "delegate_create": True,
            }
        )
    network_info = NetworkInfo.hydrate(vifs)
    flavor = orders.flavor(memory_mb=96, vcpus=1, root_gb=1)
    metadata = {"image_disk_format": "qcow2", "image_hw_rng_model": "virtio"}
    instance = orders.instance(
        uuid=str(uuid.uuid4()),
        flavor=flavor,
        image_ref=IMAGE_ID,
        system_metadata=metadata,
        device_metadata=None,
        config_drive="",
    )
    disk = DiskSpec("image", "/dev/vda", 1, boot_index=0, image_id=IMAGE_ID)
    return GuestSpec(instance, instance.image_meta, network_info, (disk,))


def disk_of(order: GuestSpec) -> Path:
    """Where the root disk is."""
    return Path(CONF.instances_path, order.instance.uuid, "disk")


class Console:
    """What the guest has printed since it started; it counts its boots on its disk."""

    def __init__(self, driver: Any, instance: Any) -> None:
        self._driver, self._instance = driver, instance
        self.text = ""

    def wait(self, boots: int) -> None:
        """Until the guest is up for that time."""
        until(f"boot {boots} of the guest", lambda: self._is_up(boots), BOOT_SECONDS)

    def _is_up(self, boots: int) -> bool:
        self.text = self._driver.console_output(None, self._instance).decode(errors="replace")
        counted = [mark.text for mark in marks(self.text, "boots")]
        return counted == [f"vda={boots}"] and bool(marks(self.text, "ready"))


def until(what: str, condition: Callable[[], bool], seconds: float) -> None:
    """Wait for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {seconds:g} s")
        time.sleep(0.5)


class Target:
    """Takes a snapshot in."""

    def __init__(self, path: Path) -> None:
        self.image_id, self.path, self.format = str(uuid.uuid4()), path, ""

    def extracting(self) -> None:
        """Nobody is told."""

    def upload(self, disk_format: str, data: Iterable[bytes]) -> None:
        """Write the image to a file."""
        self.format = disk_format
        with self.path.open("wb") as file:
            file.writelines(data)


def described(target: Target) -> dict[str, Any]:
    """What qemu-img says of a snapshot."""
    words = ["qemu-img", "info", "--output=json", "-f", target.format, str(target.path)]
    info = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    words = ["qemu-img", "check", "-q", "-f", target.format, str(target.path)]
    is_sound = subprocess.run(words, capture_output=True).returncode == 0
    return {"size": info["virtual-size"], "base": info.get("backing-filename"), "is_sound": is_sound}


def capabilities(pid: str) -> int:
    """The effective capabilities of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16)


def helpers() -> dict[str, list[int]]:
    """Context → (user, effective capabilities) of each process that an agent has had started as root."""
    return {context: [owner, capabilities(pid)] for context, owner, pid in _helpers()}


def _helpers() -> Iterator[tuple[str, int, str]]:
    for directory in Path("/proc").glob("[0-9]*"):
        words = (directory / "cmdline").read_bytes().decode(errors="replace").split("\0")
        if "--privsep_context" in words and "sudo" not in words[0]:
            yield words[words.index("--privsep_context") + 1], directory.stat().st_uid, directory.name


_HELPER = ("privsep-helper", "--privsep_context")
_SOCKET = ("--privsep_sock_path", "/tmp/x/privsep.sock")
COMMANDS = (
    ("sudo", "-n", "id"),
    ("sudo", "-n", "privsep-helper", *_HELPER[1:], "computed.privileged.files_context", *_SOCKET),
    ("sudo", "-n", "computed-rootwrap", f"{DIRECTORY}/results/rootwrap.conf", "id"),
    (*ROOTWRAP, "id"),
    (*ROOTWRAP, *_HELPER, "os.system", *_SOCKET),
    (*ROOTWRAP, *_HELPER, "os_vif.plug", *_SOCKET),
    (
        *(*ROOTWRAP, "privsep-helper", "--config-file", f"{DIRECTORY}/results/evil.conf"),
        *("--privsep_context", "computed.privileged.files_context", *_SOCKET),
    ),
)


def refused(*command: str) -> bool:
    """Whether it is not allowed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode in (1, 99) and ("sudo:" in done.stderr or "Unauthorized" in done.stderr)


main()
