"""What flavor, image and options say of a guest's interfaces, told once for all of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from oslo_utils import strutils

from computed import errors

# contract states.json, network.libvirt_supported_models_by_virt_type
_QEMU_MODELS: Final = frozenset(
    {"virtio", "ne2k_pci", "pcnet", "rtl8139", "e1000", "e1000e", "spapr-vlan", "vmxnet3", "igb"}
)
MODELS: Final[Mapping[str, frozenset[str]]] = {
    "kvm": _QEMU_MODELS,
    "qemu": _QEMU_MODELS | {"lan9118"},
    "lxc": frozenset(),
    "parallels": frozenset({"virtio", "rtl8139", "e1000"}),
}
_VIRTIO_BY_DEFAULT: Final = frozenset({"kvm", "qemu", "parallels"})
_WITH_VHOST: Final = frozenset({"kvm", "parallels"})
_MOST_QUEUES_OF_KERNELS: Final = {1: 1, 2: 1, 3: 8, 4: 256}
"""How many queues a tap device has at most, by the first number of the kernel's release; later: any."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may pass one way: average and peak in KiB/s, burst in KiB; None is no limit."""

    average: int
    peak: int | None = None
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class InterfaceOptions:
    """What the host's options say: [libvirt]virt_type, use_virtio_for_bridges, rx_queue_size, tx_queue_size
    and max_queues, where a kernel without it has a limit of its own."""

    virt_type: str = "kvm"
    is_virtio_default: bool = True
    rx_queue_size: int | None = None
    tx_queue_size: int | None = None
    max_queues: int | None = None

    @classmethod
    def of(cls, conf: Any) -> InterfaceOptions:
        """Read them from the configuration."""
        libvirt = conf.libvirt
        return cls(
            virt_type=libvirt.virt_type,
            is_virtio_default=libvirt.use_virtio_for_bridges,
            rx_queue_size=libvirt.rx_queue_size,
            tx_queue_size=libvirt.tx_queue_size,
            max_queues=libvirt.max_queues or most_queues(os.uname().release),
        )


@dataclass(frozen=True, slots=True)
class InterfaceWishes:
    """What every interface of one guest is to be like.

    `model` None leaves the choice to libvirt. `queues` is None without multiqueue. `inbound` is towards
    the guest.
    """

    virt_type: str = "kvm"
    model: str | None = "virtio"
    queues: int | None = None
    rx_queue_size: int | None = None
    tx_queue_size: int | None = None
    is_packed: bool = False
    inbound: Limits | None = None
    outbound: Limits | None = None

    @property
    def driver(self) -> str | None:
        """Which side moves the packets of a virtio device, where that has to be said."""
        if self.model != "virtio":
            return None
        if self.virt_type == "qemu":
            # libvirt would take vhost, which an emulated guest cannot use
            return "qemu"
        return "vhost" if self.queues or self.rx_queue_size else None


def wishes_of(flavor: Any, image_meta: Any, options: InterfaceOptions) -> InterfaceWishes:
    """What a guest of this flavor and image wants.

    Raises UnsupportedHardware (a model that does not exist here), UnsupportedVirtType, FlavorImageConflict,
    Invalid (a limit that is no number).
    """
    virt_type = options.virt_type
    if virt_type not in MODELS:
        raise errors.UnsupportedVirtType(virt=virt_type)
    model = image_meta.properties.get("hw_vif_model")
    if model is not None and model not in MODELS[virt_type]:
        raise errors.UnsupportedHardware(model=model, virt=virt_type)
    if model is None and virt_type in _VIRTIO_BY_DEFAULT and options.is_virtio_default:
        model = "virtio"
    return InterfaceWishes(
        virt_type=virt_type,
        model=model,
        queues=_queues(flavor, image_meta, options),
        rx_queue_size=options.rx_queue_size,
        tx_queue_size=options.tx_queue_size,
        is_packed=_is_wanted("virtio_packed_ring", flavor, image_meta),
        inbound=_limits(flavor, "inbound"),
        outbound=_limits(flavor, "outbound"),
    )


def is_multiqueue(flavor: Any, image_meta: Any) -> bool:
    """Whether interfaces get as many queues as the guest has processors. Raises FlavorImageConflict."""
    return flavor.vcpus > 1 and _is_wanted("vif_multiqueue_enabled", flavor, image_meta)


def most_queues(kernel_release: str) -> int | None:
    """How many queues a tap device can have under a kernel (`uname -r`); None when there is no such limit."""
    return _MOST_QUEUES_OF_KERNELS.get(int(kernel_release.split(".")[0]))


def _queues(flavor: Any, image_meta: Any, options: InterfaceOptions) -> int | None:
    if options.virt_type not in _WITH_VHOST or not is_multiqueue(flavor, image_meta):
        return None
    vcpus: int = flavor.vcpus
    return min(vcpus, options.max_queues or vcpus)


def _is_wanted(name: str, flavor: Any, image_meta: Any) -> bool:
    """What `hw:name` of the flavor and `hw_name` of the image say; both may, if they agree."""
    of_flavor = flavor.extra_specs.get(f"hw:{name}")
    of_image = image_meta.properties.get(f"hw_{name}")
    said = {strutils.bool_from_string(value) for value in (of_flavor, of_image) if value is not None}
    if len(said) > 1:
        raise errors.FlavorImageConflict(setting=f"hw:{name}", flavor_val=of_flavor, image_val=of_image)
    return True in said


def _limits(flavor: Any, way: str) -> Limits | None:
    numbers = {unit: _number(flavor, f"quota:vif_{way}_{unit}") for unit in ("average", "peak", "burst")}
    average = numbers["average"]
    # libvirt knows no peak and no burst without an average
    return Limits(average, numbers["peak"], numbers["burst"]) if average else None


def _number(flavor: Any, name: str) -> int | None:
    text = flavor.extra_specs.get(name)
    if text is None:
        return None
    try:
        number = int(text)
    except ValueError:
        number = -1
    if number < 0:
        raise errors.Invalid(f"Extra spec {name} of flavor {flavor.name} is no whole number: {text!r}")
    return number
