"""The disks of a guest, with their controllers, and the root directory of a container."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from typing import Final

from computed import errors
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.storage.plan import DiskPlan
from computed.virt.libvirt.xml.address import Address
from computed.virt.libvirt.xml.devices.board import Controller
from computed.virt.libvirt.xml.devices.disk import Disk, Filesystem, Limits, Source
from computed.virt.libvirt.xml.domain import Domain

_VIRTIO_SCSI: Final = "virtio-scsi"
_LIMITS: Final = tuple(
    f"{way}_{what}_sec" for what in ("bytes", "iops") for way in ("read", "write", "total")
)
_DIRECT: Final = frozenset({"none", "directsync"})  # cache modes with which QEMU can use native AIO


def design_disks(draft: Draft, domain: Domain) -> None:
    """Every disk of the plan; with virtio-scsi each SCSI disk gets its place, so that 256 fit.

    Raises InvalidDiskInfo for a volume without a source, Invalid for a limit that is no number.
    """
    if draft.is_container:
        _design_root_directory(draft, domain)
        return
    _refuse_encrypted(draft)
    model = draft.wishes.prop("hw_scsi_model")
    if model:
        domain.controllers.append(Controller(type="scsi", index=0, model=model))
    units = _units(draft.disks) if model == _VIRTIO_SCSI else {}
    for plan in draft.disks:
        _check_bus(plan, draft)
        disk = _volume(plan, draft) if plan.kind == "volume" else _file(plan, draft)
        disk.boot_order = plan.boot_order if draft.is_rescue else None
        if plan.target in units:
            disk.address = Address(type="drive", controller="0", bus="0", target="0", unit=units[plan.target])
        domain.disks.append(disk)


def _design_root_directory(draft: Draft, domain: Domain) -> None:
    """libvirt mounts the disk itself (storage/container_root.py), where the stock agent gives it a directory;
    qcow2 are disks that the stock agent made."""
    root = next((plan for plan in draft.disks if plan.kind == "root"), None)
    if root is None:
        raise errors.Invalid("A container starts from an image, not from a volume.")
    domain.filesystems.append(
        Filesystem(
            type="file",
            driver_type="loop" if root.format == "raw" else "nbd",
            driver_format=root.format,
            source_file=str(draft.request.paths.container_link),
            target_dir="/",
        )
    )


def _refuse_encrypted(draft: Draft) -> None:
    if draft.wishes.one_flag("ephemeral_encryption"):
        raise errors.Invalid(
            "hw:ephemeral_encryption or hw_ephemeral_encryption is true, and no local disk of this "
            "host can be encrypted ([libvirt]images_type)."
        )


def _check_bus(plan: DiskPlan, draft: Draft) -> None:
    known = draft.facts.disk_buses
    if known is not None and plan.bus not in known:
        raise errors.UnsupportedHardware(
            f"Disk {plan.target} is to be on bus {plan.bus!r} (hw_{plan.device}_bus), which machine type "
            f"{draft.machine.type} on {draft.machine.arch} does not have."
        )


def _units(disks: tuple[DiskPlan, ...]) -> dict[str | None, str]:
    """The unit of each SCSI disk by its target; the disk that boots first is unit 0."""
    scsi = sorted((disk for disk in disks if disk.bus == "scsi"), key=lambda disk: disk.boot_order != 1)
    return {disk.target: str(unit) for unit, disk in enumerate(scsi)}


def _file(plan: DiskPlan, draft: Draft) -> Disk:
    disk = _placed(Disk(type="file", source=Source(file=str(plan.path))), plan)
    disk.driver_name = "qemu"
    disk.driver_type = plan.format
    disk.cache = plan.cache
    disk.discard = draft.options.disk_discard
    if draft.options.preallocates_images:
        disk.io = "native" if plan.cache in _DIRECT else "threads"
    disk.limits = _limits(draft)
    return disk


def _volume(plan: DiskPlan, draft: Draft) -> Disk:
    """A volume's disk as its connection made it, in its place."""
    volume_id = plan.spec.volume_id if plan.spec is not None else None
    made = dict(draft.request.volumes).get(volume_id or "")
    if made is None:
        raise errors.InvalidDiskInfo(reason=f"nobody told where the bytes of volume {volume_id} are")
    disk = _placed(dataclasses.replace(made), plan)
    if disk.io == "native" and disk.cache not in (None, *_DIRECT):
        disk.io = "threads"
    return disk


def _placed(disk: Disk, plan: DiskPlan) -> Disk:
    disk.device = plan.device
    disk.target_dev = plan.target
    disk.target_bus = plan.bus
    disk.readonly = plan.is_readonly or None
    # QEMU's SCSI pass-through has no serial number of its own.
    disk.serial = None if plan.device == "lun" else disk.serial or plan.serial
    return disk


def _limits(draft: Draft) -> Limits | None:
    values = {name: draft.wishes.number(f"quota:disk_{name}") for name in _LIMITS}
    limits = replace(Limits(), **values)
    return None if limits == Limits() else limits
