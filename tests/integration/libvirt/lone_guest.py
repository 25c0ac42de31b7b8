"""One guest of a test's own libvirtd, defined by hand, with the engine that parts of the driver share."""

from __future__ import annotations

import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from oslo_config import cfg

from computed import objects
from computed.conf import register_all
from computed.virt.collaborators import NOBODY
from computed.virt.libvirt import options
from computed.virt.libvirt.connection import Connection
from computed.virt.libvirt.design.options import DesignOptions
from computed.virt.libvirt.engine import Engine
from computed.virt.libvirt.image_sources import ImageSources
from computed.virt.libvirt.opening import Patience
from computed.virt.libvirt.serial_ports import SerialPorts
from computed.virt.libvirt.storage import disk_info
from computed.virt.libvirt.storage.cache import ImageCache
from computed.virt.libvirt.storage.disks import Disks
from computed.virt.libvirt.storage.paths import CachePaths
from computed.virt.libvirt.storage.qemu_img import QemuImg
from tests.integration.libvirt.boot_sector import boot_sector
from tests.integration.libvirt.own_libvirtd import OwnLibvirtd

IMAGE_ID = "00000031-0000-4000-8000-000000000031"
MIB = 1 << 20
_DOMAIN = """
<domain type='qemu'>
  <name>{name}</name><uuid>{uuid}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type><boot dev='hd'/></os>
  <features><acpi/></features>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='{format}' cache='none'/><source file='{disk}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <serial type='file'><source path='{log}'/><target port='0'/></serial>
    {devices}
    <memballoon model='none'/>
  </devices>
</domain>"""


def until(what: str, condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait for something true and return it."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.2)


def make_engine(libvirtd: OwnLibvirtd, directory: Path, **overrides: Any) -> Engine:
    """An engine without the host's facts and without switches; `overrides` are options of [libvirt]."""
    conf = cfg.ConfigOpts()
    register_all(conf)
    conf([], project="nova", default_config_files=[], default_config_dirs=[])
    conf.set_override("instances_path", str(directory / "instances"))
    conf.set_override("virt_type", "qemu", group="libvirt")
    for name, value in overrides.items():
        conf.set_override(name, value, group="libvirt")
    (directory / "instances").mkdir(exist_ok=True)
    read = options.read(conf, cache_mode="writeback")
    tool = QemuImg(read.limits, cache_mode="writeback")
    cache = ImageCache(CachePaths(read.instances_path), tool, read.policy)
    return Engine(
        conf=conf,
        collaborators=NOBODY,
        options=read,
        design_options=DesignOptions.from_conf(conf),
        connection=Connection(libvirtd.uri(), patience=Patience(retry_seconds=0.5)),
        host=cast(Any, None),
        events=cast(Any, None),
        tool=tool,
        cache=cache,
        disks=Disks(cache, tool),
        plugger=cast(Any, None),
        images=ImageSources(NOBODY),
        serial_ports=SerialPorts("127.0.0.1", (10000, 20000)),
    )


class LoneGuest:
    """A stopped guest whose root disk lies on a cached image, and holds data of its own after it."""

    def __init__(
        self,
        engine: Engine,
        *,
        disk_format: str = "qcow2",
        data_mib: int = 4,
        properties: dict[str, Any] | None = None,
        devices: str = "",
    ) -> None:
        self.engine = engine
        self.instance = SimpleNamespace(
            uuid=str(uuid.uuid4()),
            name=f"verbs-{uuid.uuid4().hex[:8]}",
            image_meta=objects.ImageMeta.from_dict({"id": IMAGE_ID, "properties": properties or {}}),
            os_type=None,
            key_data=None,
            launched_at=None,
            config_drive="",
            system_metadata={},
        )
        self.paths = engine.paths(self.instance)
        self.log = self.paths.instances_path.parent / f"{self.instance.name}.log"
        self.base_data = boot_sector("LONE GUEST") + os.urandom(MIB - 512)
        self.data = os.urandom(data_mib * MIB)
        self.size = (1 + data_mib) * MIB
        self._make_disk(disk_format)
        self.domain = engine.connection.define(
            _DOMAIN.format(
                name=self.instance.name,
                uuid=self.instance.uuid,
                format=disk_format,
                disk=self.paths.disk(),
                log=self.log,
                devices=devices,
            )
        )

    def _make_disk(self, disk_format: str) -> None:
        self.paths.create()
        disk = self.paths.disk()
        if disk_format == "raw":
            disk.write_bytes(self.base_data + self.data)
        else:
            base = self.engine.cache.paths.image(IMAGE_ID)
            base.parent.mkdir(parents=True, exist_ok=True)
            base.write_bytes(self.base_data)
            _run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", disk, str(self.size))
            own = disk.with_name("data")
            own.write_bytes(self.data)
            _run("qemu-io", "-f", "qcow2", "-c", f"write -q -s {own} {MIB} {len(self.data)}", disk)
            own.unlink()
        disk_info.remember(self.paths.disk_info, disk, disk_format)

    @property
    def contents(self) -> bytes:
        """What the guest sees on its root disk."""
        return self.base_data + self.data

    def boot(self) -> None:
        """Start it and wait until it has said so."""
        self.domain.start()
        until("the guest boots", lambda: self.log.exists() and b"LONE GUEST" in self.log.read_bytes())

    def remove(self) -> None:
        """Nothing of it is left."""
        self.domain.destroy()
        self.domain.undefine()


def read_image(image: Path, image_format: str) -> bytes:
    """The disk in an image file."""
    plain = image.with_name(f"{image.name}.plain")
    _run("qemu-img", "convert", "-f", image_format, "-O", "raw", image, plain)
    return plain.read_bytes()


def _run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True, capture_output=True)


class Target:
    """Takes a snapshot in; may break while it does, or run something before."""

    def __init__(
        self, path: Path, *, breaks_after: int | None = None, at_upload: Callable[[], None] = lambda: None
    ) -> None:
        self.image_id = str(uuid.uuid4())
        self.path = path
        self.steps: list[str] = []
        self.disk_format: str | None = None
        self._breaks_after = breaks_after
        self._at_upload = at_upload

    def extracting(self) -> None:
        self.steps.append("extracting")

    def upload(self, disk_format: str, data: Iterable[bytes]) -> None:
        self.steps.append("upload")
        self.disk_format = disk_format
        self._at_upload()
        with self.path.open("wb") as file:
            for number, chunk in enumerate(data):
                if number == self._breaks_after:
                    raise ConnectionResetError("the image service has gone")
                file.write(chunk)
