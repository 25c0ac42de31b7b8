"""The engine: everything that the parts of the driver share, made once when the host is initialised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.lib.slots import Slots
from computed.virt.libvirt import options as engine_options
from computed.virt.libvirt.design import DesignOptions
from computed.virt.libvirt.image_sources import ImageSources
from computed.virt.libvirt.options import EngineOptions
from computed.virt.libvirt.serial_ports import SerialPorts, parse_range
from computed.virt.libvirt.storage.cache import ImageCache
from computed.virt.libvirt.storage.disks import Disks
from computed.virt.libvirt.storage.paths import CachePaths, InstancePaths
from computed.virt.libvirt.storage.qemu_img import QemuImg, cache_mode_for

if TYPE_CHECKING:
    from oslo_config import cfg

    from computed.virt.collaborators import Collaborators
    from computed.virt.libvirt.connection import Connection
    from computed.virt.libvirt.events import Events
    from computed.virt.libvirt.host import Host
    from computed.virt.libvirt.network.plugging import Plugger


@dataclass(frozen=True)
class Engine:
    """What every part of the driver holds as `self._engine`; `conf` only for options that are read rarely."""

    conf: cfg.ConfigOpts
    collaborators: Collaborators
    options: EngineOptions
    design_options: DesignOptions
    connection: Connection
    events: Events
    host: Host
    tool: QemuImg
    cache: ImageCache
    disks: Disks
    plugger: Plugger
    images: ImageSources
    serial_ports: SerialPorts

    def paths(self, instance: Any) -> InstancePaths:
        """Where the files of an instance are."""
        return InstancePaths(self.options.instances_path, instance.uuid)


class LibvirtPart:
    """One part of the driver. The engine is there from `init_host` on."""

    _engine: Engine


def build(conf: cfg.ConfigOpts, collaborators: Collaborators) -> Engine:
    """The engine of this host; nothing is connected yet. Raises ConfigError, StartRefused."""
    from computed.virt.libvirt.connection import Connection
    from computed.virt.libvirt.events import Events
    from computed.virt.libvirt.host import Host
    from computed.virt.libvirt.network.plugging import Plugger

    read = engine_options.read(conf, cache_mode=_cache_mode(Path(conf.instances_path)))
    disk_ops = Slots(conf.compute.max_concurrent_disk_ops)
    tool = QemuImg(read.limits, cache_mode=read.storage.default_cache_mode, disk_ops=disk_ops)
    cache = ImageCache(CachePaths(read.instances_path, read.cache_subdirectory), tool, read.policy)
    connection = Connection(read.uri, on_reachable=collaborators.reachable)
    return Engine(
        conf=conf,
        collaborators=collaborators,
        options=read,
        design_options=_design_options(conf),
        connection=connection,
        events=Events(connection),
        host=Host(connection, conf),
        tool=tool,
        cache=cache,
        disks=Disks(cache, tool),
        plugger=Plugger(conf),
        images=ImageSources(collaborators),
        serial_ports=SerialPorts(
            conf.serial_console.proxyclient_address, parse_range(conf.serial_console.port_range)
        ),
    )


def _design_options(conf: cfg.ConfigOpts) -> DesignOptions:
    try:
        return DesignOptions.from_conf(conf)
    except ValueError as error:
        raise errors.ConfigError(f"[compute]cpu_shared_set or cpu_dedicated_set: {error}") from error


def _cache_mode(instances_path: Path) -> str:
    """What disks there can be opened with; the directory is made if need be."""
    try:
        instances_path.mkdir(parents=True, exist_ok=True)
        return cache_mode_for(instances_path)
    except OSError as error:
        raise errors.StartRefused(f"instances_path = {instances_path} cannot be written: {error}") from error
