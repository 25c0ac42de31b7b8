"""A libvirt driver of its own, in a directory of its own, with guests as the agent orders them."""

from __future__ import annotations

import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from oslo_config import cfg

from computed import errors, objects
from computed.conf import register_all
from computed.context import RequestContext
from computed.objects.network_model import VIF, NetworkInfo
from computed.virt.collaborators import Collaborators
from computed.virt.libvirt.driver import LibvirtDriver
from computed.virt.specs import DiskSpec, GuestSpec
from tests.integration.guest_image import MEMORY_MIB, Mark, marks
from tests.integration.libvirt.boot_sector import partitioned_disk

IMAGE_ID = "0b3c6a38-62a5-4d0a-8f37-6f7a2ce1a001"
BOOT_SECONDS = 90.0
_SYSTEM = "qemu:///system"


class Bench:
    """`images` are metadata by image id, with the `path` of their file; guests of `spec` are gone after
    `close`. The image is a boot sector unless `guest` is a file that is more."""

    def __init__(self, directory: Path, guest: Path | None = None, **options: Any) -> None:
        self.directory = directory
        self.uri = options.get("libvirt.connection_uri", _SYSTEM)
        self.images: dict[str, dict[str, Any]] = {}
        self.downloads: list[str] = []
        self.reachable: list[tuple[bool, str | None]] = []
        self.plugger = NotedPlugger()
        self.add_image(IMAGE_ID, *((guest, "qcow2") if guest else (self._boot_sector(), "raw")))
        self.context = RequestContext(user_id="u1", project_id="p1", user_name="alice", project_name="demo")
        self.conf = self._conf(options)
        self.collaborators = Collaborators(
            show_image=lambda context, image_id: self.images[image_id],
            download_image=self._download,
            reachable=lambda *told: self.reachable.append(told),
        )
        self.driver = LibvirtDriver(self.conf, self.collaborators)
        self.driver.init_host("bench")
        self.driver._engine = replace(self.driver._engine, plugger=cast(Any, self.plugger))
        self._specs: list[GuestSpec] = []

    def _boot_sector(self) -> Path:
        path = self.directory / "boot.raw"
        path.write_bytes(partitioned_disk("HELLO"))
        return path

    def _conf(self, options: dict[str, Any]) -> cfg.ConfigOpts:
        conf = cfg.ConfigOpts()
        register_all(conf)
        conf([], project="nova", default_config_files=[], default_config_dirs=[])
        chosen = {
            "state_path": str(self.directory),
            "host": "bench",
            "compute_driver": "libvirt.LibvirtDriver",
            "libvirt.virt_type": "qemu",
            "libvirt.cpu_mode": "none",
            "libvirt.wait_soft_reboot_seconds": 20,
            **options,
        }
        for name, value in chosen.items():
            group, _, option = name.rpartition(".")
            conf.set_override(option, value, group or None)
        return conf

    def close(self) -> None:
        for spec in self._specs:
            try:
                self.driver.destroy(self.context, spec)
            except Exception:
                self.virsh("destroy", str(spec.instance.uuid))
                self.virsh("undefine", str(spec.instance.uuid), "--managed-save", "--nvram")
        self.driver.cleanup_host("bench")
        shutil.rmtree(self.directory, ignore_errors=True)

    # Images and guests

    def add_image(self, image_id: str, path: Path, disk_format: str, **more: Any) -> None:
        self.images[image_id] = {
            "id": image_id,
            "disk_format": disk_format,
            "container_format": "bare",
            "size": path.stat().st_size,
            "checksum": None,
            "status": "active",
            "path": path,
            **more,
        }

    def _download(self, context: Any, image_id: str, offset: int) -> Iterator[bytes]:
        self.downloads.append(image_id)
        with self.images[image_id]["path"].open("rb") as file:
            file.seek(offset)
            while chunk := file.read(1 << 20):
                yield chunk

    def spec(self, **more: Any) -> GuestSpec:
        """A guest to be made, of the tiny image with a config drive; `more` replaces parts of the GuestSpec,
        `instance`, `flavor` and `properties` (of the image) parts of those."""
        flavor = make_flavor(**more.pop("flavor", {}))
        properties = more.pop("properties", {})
        instance = make_instance(self.context, flavor, properties, **more.pop("instance", {}))
        image = {**self.images[IMAGE_ID], "properties": properties}
        image.pop("path")
        values = {
            "image_meta": objects.ImageMeta.from_dict(image),
            "network_info": NetworkInfo([]),
            "disks": (DiskSpec("image", "/dev/vda", 1, boot_index=0, image_id=IMAGE_ID),),
            **more,
        }
        spec = GuestSpec(instance=instance, **values)
        self._specs.append(spec)
        return spec

    # Looking from outside

    def files(self, spec: GuestSpec) -> Path:
        return Path(self.conf.instances_path) / str(spec.instance.uuid)

    def console(self, spec: GuestSpec) -> str:
        return self.driver.console_output(self.context, spec.instance).decode(errors="replace")

    def said(self, spec: GuestSpec, word: str, count: int = 1, seconds: float = BOOT_SECONDS) -> Mark:
        """Wait until the guest has said `count` lines with that word since its last start; the last one."""
        found: Mark = wait_for(lambda: self._said(spec, word, count), f"{count} x GUEST {word}", seconds)
        return found

    def _said(self, spec: GuestSpec, word: str, count: int) -> Mark | None:
        found = marks(self.console(spec), word)
        return found[count - 1] if len(found) >= count else None

    def power_state(self, spec: GuestSpec) -> int:
        return self.driver.state(spec.instance).power_state

    def is_defined(self, spec: GuestSpec) -> bool:
        """Whether libvirt knows the guest."""
        return str(spec.instance.uuid) in self.virsh("list", "--all", "--uuid").split()

    def leftovers(self, spec: GuestSpec) -> list[str]:
        """What is left of a guest on this host: domain, files, NVRAM, managed save, processes."""
        name, number = spec.instance.name, str(spec.instance.uuid)
        found = [f"domain {name}"] if self.is_defined(spec) else []
        instances = Path(self.conf.instances_path)
        found += [str(path) for path in instances.glob(f"{number}*")]
        found += [str(path) for path in Path("/var/lib/libvirt/qemu").rglob(f"*{name}*")]
        shown = subprocess.run(["pgrep", "-f", f"guest={name},"], capture_output=True, text=True, check=False)
        return found + [f"process {pid}" for pid in shown.stdout.split()]

    def virsh(self, *words: str) -> str:
        command = ["virsh", "-c", self.uri, *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout


class NotedPlugger:
    """Ports that nothing is behind: what is done to them is noted."""

    def __init__(self) -> None:
        self.plugged: set[str] = set()
        self.refuses = False

    def interfaces(self, *of: Any) -> tuple[list[Any], list[Any]]:
        return [], []

    def plug(self, instance: Any, vif: Any) -> None:
        self.plugged.add(vif["id"])
        if self.refuses:
            raise errors.VirtualInterfacePlugException("no such switch")

    def unplug(self, instance: Any, vif: Any) -> None:
        self.plugged.discard(vif["id"])


def make_vif() -> VIF:
    return VIF(id=str(uuid.uuid4()), address="52:54:00:00:00:01", type="ovs", active=False)


def make_flavor(**more: Any) -> Any:
    values = {
        "id": 1,
        "name": "m1.tiny",
        "flavorid": "1",
        "memory_mb": MEMORY_MIB,
        "vcpus": 1,
        "root_gb": 1,
        "ephemeral_gb": 0,
        "swap": 0,
        "extra_specs": {},
    }
    return objects.Flavor(**{**values, **more})


def make_instance(context: Any, flavor: Any, properties: dict[str, str], **more: Any) -> Any:
    """An instance as a build brings it, all of it loaded; a number of its own keeps its name unique."""
    own = str(uuid.uuid4())
    values = {
        "id": int(own[:7], 16),
        "uuid": own,
        "user_id": "u1",
        "project_id": "p1",
        "display_name": "bench",
        "hostname": "bench",
        "reservation_id": "r-1",
        "launch_index": 0,
        "availability_zone": "nova",
        "image_ref": IMAGE_ID,
        "kernel_id": "",
        "ramdisk_id": "",
        "os_type": None,
        "vm_mode": None,
        "root_device_name": "/dev/vda",
        "default_ephemeral_device": None,
        "default_swap_device": None,
        "flavor": flavor,
        "metadata": {},
        "system_metadata": {
            "image_base_image_ref": IMAGE_ID,
            **{f"image_{name}": value for name, value in properties.items()},
        },
        "config_drive": "True",
        "user_data": None,
        "key_name": None,
        "key_data": None,
        "keypairs": objects.KeyPairList(objects=[]),
        "numa_topology": None,
        "device_metadata": None,
        "ec2_ids": objects.EC2Ids(ami_id="ami-1", instance_id="i-1", kernel_id=None, ramdisk_id=None),
        "security_groups": objects.SecurityGroupList(objects=[]),
        "pci_devices": objects.PciDeviceList(objects=[]),
        "pci_requests": objects.InstancePCIRequests(requests=[]),
        "resources": None,
        "trusted_certs": None,
        "vm_state": "building",
        "task_state": "spawning",
    }
    return objects.Instance(context=context, **{**values, **more})


def wait_for(look: Callable[[], Any], what: str, seconds: float) -> Any:
    """What `look` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"no {what} within {seconds:g} s")
