"""Which disks a guest has, and how it sees them: pure, from what was ordered to what is made and defined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

from computed import errors
from computed.virt.libvirt.storage.paths import RESCUE_DISK, ROOT_DISK, SWAP_DISK, InstancePaths
from computed.virt.specs import DiskSpec, GuestSpec, RescueSpec

Kind = Literal["root", "ephemeral", "swap", "volume", "config_drive", "rescue"]

# contract host_files.json, domain_choices.supported_buses
BUSES: Final = {
    "kvm": frozenset({"virtio", "scsi", "ide", "usb", "fdc", "sata"}),
    "qemu": frozenset({"virtio", "scsi", "ide", "usb", "fdc", "sata"}),
    "lxc": frozenset({"lxc"}),
}
_PREFIXES: Final = {"virtio": "vd", "scsi": "sd", "usb": "sd", "sata": "sd", "ide": "hd", "fdc": "fd"}
_BUS_OF_PREFIX: Final = {"hd": "ide", "sd": "scsi", "vd": "virtio", "fd": "fdc"}
_DEVICES: Final = frozenset({"disk", "cdrom", "floppy", "lun"})
_RESCUE_DEVICES: Final = _DEVICES
_IDE_DISKS: Final = 4
_GIB: Final = 1 << 30
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class StorageOptions:
    """What the host's options say of disks.

    `local_format` is qcow2 or raw, from [libvirt]images_type and use_cow_images; `cdrom_bus` is what the
    guest's machine type has for discs; `cache_modes` is [libvirt]disk_cachemodes by kind of source;
    `default_cache_mode` is what qemu_img.cache_mode_for says of the instances directory; `most_disks` is
    [compute]max_disk_devices_to_attach, negative for no limit; `prefix` is [libvirt]disk_prefix;
    `forces_config_drive` is [DEFAULT]force_config_drive.
    """

    virt_type: str = "kvm"
    local_format: str = "qcow2"
    cdrom_bus: str = "ide"
    config_drive_device: str = "cdrom"
    forces_config_drive: bool = False
    cache_modes: tuple[tuple[str, str], ...] = ()
    default_cache_mode: str = "none"
    most_disks: int = -1
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class DiskPlan:
    """One disk of a guest.

    `path` is None for a volume, whose source comes from its connection (`spec.connection_info`); `size_bytes`
    is None where the image decides. `target` is the name within the guest (`vda`; None for a container),
    `boot_order` counts from 1.
    """

    kind: Kind
    path: Path | None
    format: str
    bus: str
    target: str | None
    device: str = "disk"
    boot_order: int | None = None
    cache: str = "none"
    serial: str | None = None
    is_readonly: bool = False
    size_bytes: int | None = None
    image_id: str | None = None
    guest_format: str | None = None
    spec: DiskSpec | None = field(default=None, repr=False)


def plan(spec: GuestSpec, options: StorageOptions, paths: InstancePaths) -> tuple[DiskPlan, ...]:
    """The disks of a guest: the root disk, ephemeral disks, swap, volumes, the config drive.

    Raises UnsupportedVirtType, UnsupportedHardware (a bus that does not exist here), TooManyDiskDevices.
    """
    naming = _Naming(spec, options)
    disks: list[DiskPlan] = []
    for disk in sorted(spec.disks, key=_order):
        disks.append(_placed(disk, _local_part(disk, disks, options, paths), spec, naming))
    if needs_config_drive(spec.instance, spec.image_meta, options):
        disks.append(_config_drive(paths.config_drive(), options, naming))
    return tuple(disks)


def needs_config_drive(instance: Any, image_meta: Any, options: StorageOptions) -> bool:
    """Whether a guest has a config drive (contract host_files.json, config_drive.required_when)."""
    # Who was launched without one has learnt what it needed elsewhere, and keeps the devices that it knows.
    if instance.config_drive or (options.forces_config_drive and not instance.launched_at):
        return True
    properties = image_meta.properties if image_meta is not None else {}
    return bool(properties.get("img_config_drive") == "mandatory")


def rescue_plan(rescue: RescueSpec, options: StorageOptions, paths: InstancePaths) -> tuple[DiskPlan, ...]:
    """The disks of a guest while it is rescued (contract: what the stock agent defines).

    Without `is_stable`: the rescue disk, the guest's root disk behind it, and a config drive of its own. With
    it: the guest's disks as they are, and the rescue disk last, which boots first. Raises what `plan` raises,
    UnsupportedRescueDevice, UnsupportedRescueBus.
    """
    guest = rescue.guest
    if rescue.is_stable:
        own = plan(guest, options, paths)
        naming = _Naming(guest, options, taken=(disk.target for disk in own))
        last = _stable_rescue_disk(rescue, options, paths, naming)
        return (*(_booting_later(disk) for disk in own), last)
    naming = _Naming(replace(guest, image_meta=rescue.image_meta, disks=()), options)
    bus = naming.bus(None, None, "disk")
    disks = [
        replace(_rescue_disk(rescue, options, paths), bus=bus, target=naming.target(None, bus), boot_order=1)
    ]
    root = next((disk for disk in guest.disks if disk.boot_index == 0), None)
    if root is not None:
        local = _local_part(root, [], options, paths)
        disks.append(replace(local, bus=bus, target=naming.target(None, bus)))
    if needs_config_drive(guest.instance, guest.image_meta, options):
        disks.append(_config_drive(paths.config_drive(is_rescue=True), options, naming))
    return tuple(disks)


def _rescue_disk(rescue: RescueSpec, options: StorageOptions, paths: InstancePaths) -> DiskPlan:
    """The rescue disk, as large as its image, without its place in the guest."""
    return DiskPlan(
        kind="rescue",
        path=paths.disk(RESCUE_DISK),
        format=options.local_format,
        bus="",
        target=None,
        cache=_cache_mode(options, "file"),
        image_id=rescue.image_meta.id,
    )


def _stable_rescue_disk(
    rescue: RescueSpec, options: StorageOptions, paths: InstancePaths, naming: _Naming
) -> DiskPlan:
    if rescue.device_type not in _RESCUE_DEVICES:
        raise errors.UnsupportedRescueDevice(device=rescue.device_type)
    bus = rescue.disk_bus or naming.of_properties(rescue.image_meta.properties, rescue.device_type)
    if bus not in BUSES[options.virt_type]:
        raise errors.UnsupportedRescueBus(bus=bus, virt=options.virt_type)
    return replace(
        _rescue_disk(rescue, options, paths),
        device=rescue.device_type,
        bus=bus,
        target=naming.target(None, bus),
        boot_order=1,
        is_readonly=rescue.device_type == "cdrom",
    )


def _booting_later(disk: DiskPlan) -> DiskPlan:
    return disk if disk.boot_order is None else replace(disk, boot_order=disk.boot_order + 1)


def _config_drive(path: Path, options: StorageOptions, naming: _Naming) -> DiskPlan:
    bus = naming.bus(None, None, options.config_drive_device)
    return DiskPlan(
        kind="config_drive",
        path=path,
        format="raw",
        bus=bus,
        target=naming.target(None, bus),
        device=options.config_drive_device,
        cache=_cache_mode(options, "file"),
        is_readonly=options.config_drive_device == "cdrom",
    )


_ORDER: Final = {"image": 0, "blank": 1, "swap": 2, "volume": 3}


def _order(disk: DiskSpec) -> tuple[int, int]:
    """The root comes first, wherever it is: names are given out in this order."""
    return (-1 if disk.boot_index == 0 else 0, _ORDER[disk.source])


def _local_part(
    disk: DiskSpec, before: list[DiskPlan], options: StorageOptions, paths: InstancePaths
) -> DiskPlan:
    """The disk without its place in the guest."""
    bare = DiskPlan(kind="volume", path=None, format="raw", bus="", target=None, spec=disk)
    if disk.source == "volume":
        return replace(bare, serial=disk.volume_id)
    size = disk.size_gib * _GIB if disk.size_gib else None
    local = replace(bare, format=options.local_format, size_bytes=size, cache=_cache_mode(options, "file"))
    if disk.source == "swap":
        swap = (disk.swap_mib or 0) * _MIB
        return replace(local, kind="swap", path=paths.disk(SWAP_DISK), size_bytes=swap)
    if disk.source == "blank":
        number = sum(other.kind == "ephemeral" for other in before)
        path = paths.ephemeral(number)
        return replace(local, kind="ephemeral", path=path, guest_format=disk.guest_format)
    return replace(local, kind="root", path=paths.disk(ROOT_DISK), image_id=disk.image_id)


def _placed(disk: DiskSpec, local: DiskPlan, spec: GuestSpec, naming: _Naming) -> DiskPlan:
    device = disk.device_type if disk.device_type in _DEVICES else "disk"
    bus = disk.disk_bus
    if disk.boot_index == 0 and disk.source == "image" and _is_iso(spec.image_meta):
        device, bus = "cdrom", naming.bus(None, None, "cdrom")
    bus = naming.bus(bus, disk.device_name if disk.source == "volume" else None, device)
    return replace(
        local,
        device=device,
        bus=bus,
        target=naming.target(disk.device_name, bus),
        boot_order=None if disk.boot_index is None else disk.boot_index + 1,
        is_readonly=device == "cdrom",
    )


def _is_iso(image_meta: Any) -> bool:
    return bool(
        image_meta is not None
        and image_meta.obj_attr_is_set("disk_format")
        and image_meta.disk_format == "iso"
    )


def _cache_mode(options: StorageOptions, kind: str) -> str:
    return dict(options.cache_modes).get(kind, options.default_cache_mode)


class _Naming:
    """Gives out buses and names of devices within one guest."""

    def __init__(self, spec: GuestSpec, options: StorageOptions, taken: Iterable[str | None] = ()) -> None:
        if options.virt_type not in BUSES:
            raise errors.UnsupportedVirtType(virt=options.virt_type)
        self._options = options
        self._properties = spec.image_meta.properties if spec.image_meta is not None else None
        # Names that were promised are nobody else's, in whatever order the disks come.
        self._taken = {_short(disk.device_name) for disk in spec.disks if disk.device_name}
        self._taken.update(name for name in taken if name)

    def bus(self, asked: str | None, device_name: str | None, device: str) -> str:
        """The bus of a device: as asked, as its name says, as the image says, as fits its type."""
        known = BUSES[self._options.virt_type]
        if asked in known:
            return str(asked)
        by_name = _BUS_OF_PREFIX.get(_short(device_name or "")[:2])
        if by_name in known:
            return str(by_name)
        of_image = self._of_image(device)
        if of_image is not None and of_image not in known:
            raise errors.UnsupportedHardware(model=of_image, virt=self._options.virt_type)
        return of_image or self._usual(device)

    def of_properties(self, properties: Any, device: str) -> str:
        """The bus of a device as the properties of an image have it, or as fits its type."""
        return _bus_of(properties, device) or self._usual(device)

    def _of_image(self, device: str) -> str | None:
        return None if self._properties is None else _bus_of(self._properties, device)

    def _usual(self, device: str) -> str:
        if self._options.virt_type == "lxc":
            return "lxc"
        return {"cdrom": self._options.cdrom_bus, "floppy": "fdc"}.get(device, "virtio")

    def target(self, device_name: str | None, bus: str) -> str | None:
        """The name of a device, without `/dev/`: the one it was promised, or the first free one."""
        if device_name:
            return _short(device_name)
        if bus == "lxc":
            return None
        prefix = self._options.prefix or _PREFIXES[bus]
        most = _IDE_DISKS if bus == "ide" else self._options.most_disks
        for number in range(most if most >= 0 else len(self._taken) + 1):
            name = prefix + letters(number)
            if name not in self._taken:
                self._taken.add(name)
                return name
        raise errors.TooManyDiskDevices(maximum=most)


def _bus_of(properties: Any, device: str) -> str | None:
    kind = "disk" if device == "lun" else device
    bus: str | None = properties.get(f"hw_{kind}_bus")
    return bus


def _short(device_name: str) -> str:
    return device_name.removeprefix("/dev/")


def letters(number: int) -> str:
    """The letters of a device: 0 is a, 25 is z, 26 is aa."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("a") + rest) + text
    return text


def local_disks(disks: Iterable[DiskPlan]) -> list[DiskPlan]:
    """Those with a file in the instance's directory that is made from an image or empty."""
    return [disk for disk in disks if disk.kind in ("root", "ephemeral", "swap", "rescue")]
