"""Drafts a guest: from what was ordered to its disks and its definition; nothing is made."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.virt.libvirt.design import GuestRequest, guest_domain
from computed.virt.libvirt.design.consoles import serial_port_count
from computed.virt.libvirt.design.machine import machine_for
from computed.virt.libvirt.design.request import DirectBoot
from computed.virt.libvirt.storage import disk_info
from computed.virt.libvirt.storage.plan import DiskPlan, StorageOptions, plan

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.storage.paths import InstancePaths
    from computed.virt.libvirt.xml.domain import Domain
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)

KERNEL: Final = "kernel"
RAMDISK: Final = "ramdisk"


@dataclass(frozen=True, slots=True)
class Draft:
    """A guest on paper."""

    disks: tuple[DiskPlan, ...]
    domain: Domain

    @property
    def config_drive(self) -> DiskPlan | None:
        """The plan of the config drive, if the guest has one."""
        return next((disk for disk in self.disks if disk.kind == "config_drive"), None)


def draft(engine: Engine, spec: GuestSpec, *, old: Domain | None = None) -> Draft:
    """The guest as it would be made now; disks that are there keep their recorded formats.

    `old` is its definition so far. Raises what storage.plan and the designers raise, InvalidVolume,
    InternalError (a port that cannot be plugged here), InvalidDiskInfo, HypervisorUnavailable.
    """
    disks = plan_disks(engine, spec)
    return Draft(disks, guest_domain(request(engine, spec, disks, old=old)))


def plan_disks(engine: Engine, spec: GuestSpec) -> tuple[DiskPlan, ...]:
    """The disks of a guest, those that are there in their recorded formats. Raises what `plan` raises,
    InvalidVolume, InvalidDiskInfo, Invalid (a guest with a TPM)."""
    refuse_volumes(spec)
    refuse_tpm(spec)
    paths = engine.paths(spec.instance)
    planned = plan(spec, storage_options(engine, spec), paths)
    recorded = disk_info.read(paths.disk_info)
    return tuple(replace(disk, format=recorded.get(str(disk.path), disk.format)) for disk in planned)


def storage_options(engine: Engine, spec: GuestSpec) -> StorageOptions:
    """What holds for the disks of this guest: discs are where its machine has them. Raises
    InvalidMachineType."""
    options = engine.options.storage
    if options.virt_type == "lxc":
        return options
    machine = machine_for(spec.image_meta, engine.host.facts(), engine.design_options)
    return replace(options, cdrom_bus=machine.cdrom_bus)


def request(
    engine: Engine, spec: GuestSpec, disks: tuple[DiskPlan, ...], *, old: Domain | None = None
) -> GuestRequest:
    """What the designers look at, with TCP ports for the serial console.

    Raises InternalError, HypervisorUnavailable, SocketPortRangeExhaustedException, what serial_port_count
    raises.
    """
    instance = spec.instance
    paths = engine.paths(instance)
    network_info = spec.network_info or ()
    interfaces, host_devices = engine.plugger.interfaces(instance, spec.image_meta, network_info)
    asked = GuestRequest(
        spec=spec,
        host=engine.host.facts(),
        options=engine.design_options,
        paths=paths,
        disks=disks,
        interfaces=tuple(interfaces),
        host_devices=tuple(host_devices),
        created_at=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        direct_boot=_direct_boot(instance, paths),
        old=_with_firmware(old),
    )
    ports = engine.serial_ports.of(instance.uuid, serial_port_count(asked))
    return replace(asked, serial_ports=ports)


def _with_firmware(old: Domain | None) -> Domain | None:
    """The old definition; without its firmware when that is gone from this host: then it is chosen anew."""
    if old is None or old.os is None or not old.os.loader or Path(old.os.loader).exists():
        return old
    LOG.warning("Firmware %s of guest %s is gone; libvirt chooses another", old.os.loader, old.name)
    return replace(old, os=None)


def refuse_volumes(spec: GuestSpec) -> None:
    """Raise InvalidVolume for a guest with volumes."""
    volume = next((disk for disk in spec.disks if disk.source == "volume"), None)
    if volume is not None:
        reason = f"volume {volume.volume_id} cannot be connected: this driver has no volumes yet"
        raise errors.InvalidVolume(reason=reason)


def refuse_tpm(spec: GuestSpec) -> None:
    """Raise Invalid for a guest whose TPM the stock agent has made: libvirt starts it only with a secret."""
    if spec.instance.system_metadata.get("vtpm_secret_uuid"):
        raise errors.Invalid(
            f"The state of the TPM of instance {spec.instance.uuid} is encrypted, and this driver does not "
            f"hand its secret to libvirt yet: the guest is left as it is."
        )


def _direct_boot(instance: Any, paths: InstancePaths) -> DirectBoot | None:
    if not instance.kernel_id:
        return None
    return DirectBoot(paths.disk(KERNEL), paths.disk(RAMDISK) if instance.ramdisk_id else None)
