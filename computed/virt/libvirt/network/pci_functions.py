"""Which network device is behind a PCI function: read from sysfs, nothing is changed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from computed import errors

_PCI: Final = Path("/sys/bus/pci/devices")
_VDPA: Final = Path("/dev")
_ADDRESS: Final = re.compile(
    r"([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])", re.ASCII | re.IGNORECASE
)


def parts(address: str) -> tuple[str, str, str, str]:
    """(domain, bus, slot, function), hexadecimal text, of an address. Raises PciDeviceWrongAddressFormat."""
    match = _ADDRESS.fullmatch(address)
    if match is None:
        raise errors.PciDeviceWrongAddressFormat(address=address)
    domain, bus, slot, function = match.groups()
    return domain, bus, slot, function


def network_device(address: str, root: Path = _PCI) -> str:
    """The network device of a function. Raises PciDeviceNotFoundById."""
    return _only_entry(address, root / _checked(address) / "net")


def parent_network_device(address: str, root: Path = _PCI) -> str:
    """The network device of the physical function that a virtual one belongs to. Raises
    PciDeviceNotFoundById."""
    return _only_entry(address, root / _checked(address) / "physfn" / "net")


def virtual_function_number(address: str, root: Path = _PCI) -> int:
    """The number of a virtual function among its siblings. Raises PciDeviceNotFoundById."""
    siblings = root / _checked(address) / "physfn"
    for link in sorted(siblings.glob("virtfn*")):
        if os.path.basename(os.readlink(link)) == address:
            return int(link.name.removeprefix("virtfn"))
    raise errors.PciDeviceNotFoundById(id=address)


def vdpa_device(address: str, root: Path = _PCI) -> str:
    """The character device of the vDPA function. Raises PciDeviceNotFoundById."""
    for device in sorted((root / _checked(address)).glob("vdpa*/vhost-vdpa-*")):
        return str(_VDPA / device.name)
    raise errors.PciDeviceNotFoundById(id=address)


@dataclass(frozen=True, slots=True)
class PciNames:
    """How the devices of PCI functions are found; tests bring their own."""

    network_device: Callable[[str], str] = network_device
    vdpa_device: Callable[[str], str] = vdpa_device


def _checked(address: str) -> str:
    parts(address)
    return address


def _only_entry(address: str, directory: Path) -> str:
    try:
        return sorted(os.listdir(directory))[0]
    except (OSError, IndexError) as error:
        raise errors.PciDeviceNotFoundById(id=address) from error
