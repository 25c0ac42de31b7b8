"""The disks of an instance: which kinds there are, what they are called, how a driver is told of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import count, product
from string import ascii_lowercase
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.steps.patience import patiently
from computed.virt.specs import DiskSpec

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

_NAME: Final = re.compile(r"(?P<prefix>/dev/(?:xv|[fhsuv])?d?)(?P<letters>[a-z]+)[0-9]*")
"""`/dev/sda`, `/dev/vdab1`, `/dev/xvda`: a prefix by the kind of bus, letters, a partition."""

_DEFAULT_ROOT: Final = "/dev/vda"


def is_swap(bdm: Any) -> bool:
    """Whether the device is local swap space."""
    return _is_blank(bdm) and bdm.guest_format == "swap"


def is_ephemeral(bdm: Any) -> bool:
    """Whether the device is an empty local disk for the guest to use."""
    return _is_blank(bdm) and bdm.guest_format != "swap"


def is_local_image(bdm: Any) -> bool:
    """Whether the device is a local copy of an image."""
    return bool(bdm.source_type == "image" and bdm.destination_type == "local")


def _is_blank(bdm: Any) -> bool:
    return bool(bdm.source_type == "blank" and bdm.destination_type == "local")


def name_devices(instance: Any, bdms: Sequence[Any], prefix: str, most: int) -> list[Any]:
    """Give every device a name, the root device first, and return those that got one to be saved.

    The root device is called as its mapping or the instance says, else `/dev/` + `prefix` + `a`; the others
    follow with the next free letters behind the same prefix: images, ephemerals, swap, then the rest.
    `most` is how many disks an instance may have, below 0 any number. Nothing is named without a root
    device. Raises InvalidDevicePath (the root device's name is one that no other can follow),
    TooManyDiskDevices.
    """
    root = next((bdm for bdm in bdms if bdm.is_root), None)
    if root is None:
        return []
    named = []
    name = root.device_name or instance.root_device_name or f"/dev/{prefix}a"
    if not root.device_name:
        root.device_name = name
        named.append(root)
    instance.root_device_name = name
    used = _used(bdms)
    letters = free_letters(used)
    for bdm in _in_naming_order(bdms):
        if bdm.device_name:
            continue
        _check_count(len(used) + 1, most)
        used.add(letter := next(letters))
        bdm.device_name = _prefix(name) + letter
        named.append(bdm)
    return named


def nameless_disks(instance: Any, bdms: Iterable[Any]) -> tuple[DiskSpec, ...]:
    """The devices as a driver is told of them that chooses their names, volumes before they are connected."""
    return tuple(
        replace(_unconnected(bdm) if bdm.is_volume else _disk_spec(instance, bdm), device_name=None)
        for bdm in bdms
        if not bdm.no_device
    )


def _unconnected(bdm: Any) -> DiskSpec:
    return DiskSpec(
        source="volume",
        device_name=None,
        size_gib=bdm.volume_size,
        boot_index=_boot_index(bdm),
        disk_bus=bdm.disk_bus,
        device_type=bdm.device_type or "disk",
        volume_id=bdm.volume_id,
        tag=bdm.tag,
    )


def take_names(instance: Any, bdms: Sequence[Any], names: Sequence[str | None]) -> list[Any]:
    """Give the devices the names that the driver has chosen, whatever they were called; those to be saved."""
    named = []
    there = [bdm for bdm in bdms if not bdm.no_device]
    for bdm, name in zip(there, names, strict=True):
        if name is not None and bdm.device_name != name:
            bdm.device_name = name
            named.append(bdm)
        if bdm.is_root:
            instance.root_device_name = bdm.device_name
    return named


def free_name(instance: Any, bdms: Iterable[Any], wanted: str | None, most: int) -> str:
    """The name of one more device: with the letters of `wanted`, or the next free ones.

    The prefix is that of the root device, whatever `wanted` has. `most` as in `name_devices`. Raises
    InvalidDevicePath, DevicePathInUse, TooManyDiskDevices.
    """
    letters = _letters(wanted) if wanted else None
    root = instance.root_device_name or _DEFAULT_ROOT
    used = _used(bdms) | {_letters(root)}
    _check_count(len(used) + 1, most)
    if letters in used:
        raise errors.DevicePathInUse(path=wanted)
    return _prefix(root) + (letters or next(free_letters(used)))


def next_name(host: ComputeHost, instance: Any, bdms: Iterable[Any], bdm: Any) -> str:
    """The name of one more device, which the driver chooses or which is free; raises as `free_name`."""
    bdms = list(bdms)
    chosen = host.driver.volume_device_name(instance, bdms, bdm)
    most = host.conf.compute.max_disk_devices_to_attach
    return free_name(instance, bdms, chosen or bdm.device_name, most)


def name_nameless(host: ComputeHost, instance: Any, bdms: Iterable[Any]) -> None:
    """Name those of a known server's devices that have no name, and save them; raises as `free_name`.

    The API gives none to a volume that it attaches while the server is on no host.
    """
    bdms = list(bdms)
    nameless = [bdm for bdm in bdms if bdm.device_name is None and not bdm.no_device]
    for bdm in nameless:
        bdm.device_name = next_name(host, instance, bdms, bdm)
    save_names(host, nameless)


def _in_naming_order(bdms: Sequence[Any]) -> list[Any]:
    kinds = (is_local_image, is_ephemeral, is_swap)

    def rank(bdm: Any) -> int:
        return next((place for place, is_kind in enumerate(kinds) if is_kind(bdm)), len(kinds))

    return sorted(bdms, key=rank)


def _check_count(number: int, most: int) -> None:
    if 0 <= most < number:
        raise errors.TooManyDiskDevices(maximum=most)


def free_letters(used: Iterable[str]) -> Iterator[str]:
    """a, b … z, aa, ab …, without those that are used."""
    taken = frozenset(used)
    for length in count(1):
        for letters in product(ascii_lowercase, repeat=length):
            if (word := "".join(letters)) not in taken:
                yield word


def _used(bdms: Iterable[Any]) -> set[str]:
    """What distinguishes the names in use: letters, or the whole of a name that is of another kind."""
    names = [bdm.device_name for bdm in bdms if bdm.device_name]
    return {match["letters"] if (match := _fullmatch(name)) else name for name in names}


def _fullmatch(name: str) -> re.Match[str] | None:
    return _NAME.fullmatch(name if name.startswith("/dev/") else f"/dev/{name}")


def _match(name: str) -> re.Match[str]:
    match = _fullmatch(name)
    if match is None:
        raise errors.InvalidDevicePath(path=name)
    return match


def _prefix(name: str) -> str:
    return _match(name)["prefix"]


def _letters(name: str) -> str:
    return _match(name)["letters"]


def save_names(host: ComputeHost, named: Iterable[Any]) -> None:
    """Record names that were given; one conductor call each."""
    for bdm in named:
        patiently(
            f"Naming the device {bdm.device_name} of instance {bdm.instance_uuid}",
            lambda is_repeated, bdm=bdm: bdm.save(),  # type: ignore[misc]
            stopping=host.stopping,
        )


def disk_specs(instance: Any, bdms: Iterable[Any]) -> tuple[DiskSpec, ...]:
    """The devices as a driver is told of them, in the order of the mappings; of volumes those connected.

    An image's disk has the size of the flavor's root disk, or of the image when that is 0.
    """
    there = [bdm for bdm in bdms if not bdm.no_device and (not bdm.is_volume or bdm.connection_info)]
    return tuple(volume_spec(bdm) if bdm.is_volume else _disk_spec(instance, bdm) for bdm in there)


def _boot_index(bdm: Any) -> int | None:
    return bdm.boot_index if bdm.boot_index is not None and bdm.boot_index >= 0 else None


def volume_spec(bdm: Any) -> DiskSpec:
    """A volume that is connected to this host, as a driver is told of it."""
    return DiskSpec(
        source="volume",
        device_name=bdm.device_name,
        size_gib=bdm.volume_size,
        boot_index=_boot_index(bdm),
        guest_format=bdm.guest_format,
        disk_bus=bdm.disk_bus,
        device_type=bdm.device_type or "disk",
        image_id=bdm.image_id,
        volume_id=bdm.volume_id,
        tag=bdm.tag,
        connection_info=json.loads(bdm.connection_info),
    )


def _disk_spec(instance: Any, bdm: Any) -> DiskSpec:
    swap = is_swap(bdm)
    root_gib = instance.flavor.root_gb if is_local_image(bdm) and bdm.is_root else 0
    return DiskSpec(
        source="swap" if swap else "blank" if is_ephemeral(bdm) else "image",
        device_name=bdm.device_name,
        size_gib=None if swap else bdm.volume_size or root_gib or None,
        swap_mib=(bdm.volume_size or instance.flavor.swap) if swap else None,
        boot_index=_boot_index(bdm),
        guest_format=None if swap else bdm.guest_format,
        disk_bus=bdm.disk_bus,
        device_type=bdm.device_type or "disk",
        image_id=bdm.image_id,
        tag=bdm.tag,
    )
