"""What else sits on the board: random numbers, TPM, watchdog, balloon, IOMMU, USB and PCI Express."""

from __future__ import annotations

from typing import Final

from computed import errors
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.machine import PPC
from computed.virt.libvirt.xml.cpu import Features
from computed.virt.libvirt.xml.devices.board import Balloon, Controller, Iommu, Rng, Tpm, Watchdog
from computed.virt.libvirt.xml.devices.character import UsbRedirect
from computed.virt.libvirt.xml.domain import Domain

_TPM_VERSIONS: Final = ("1.2", "2.0")
_TPM_MODELS: Final = ("tpm-tis", "tpm-crb")
_WATCHDOG_ACTIONS: Final = ("none", "pause", "poweroff", "reset", "disabled")
_IOMMU_MODELS: Final = ("intel", "smmuv3", "virtio", "auto")
_USB_MODELS: Final = ("none", "nec-xhci", "qemu-xhci")
_MOST_USB_PORTS: Final = 15
_VIRTIO_IOMMU: Final = 8_003_000  # the libvirt that knows model virtio
_ADDRESS_BITS: Final = 48  # the wider of the two widths that QEMU has


def design_rng(draft: Draft, domain: Domain) -> None:
    """A virtio source of random numbers, unless hw_rng:allowed says no. Raises Invalid."""
    if draft.is_container or not draft.wishes.extra_flag("hw_rng:allowed", default=True):
        return
    rng = Rng(model="virtio", backend_model="random", backend=draft.options.rng_device)
    rate = draft.wishes.number("hw_rng:rate_bytes")
    period = draft.wishes.number("hw_rng:rate_period")
    if rate:
        rng.rate_bytes = rate
        rng.rate_period_ms = period or None
    domain.rngs.append(rng)


def design_tpm(draft: Draft, domain: Domain) -> None:
    """An emulated TPM whose state is encrypted with a secret. Raises FlavorImageConflict, Invalid."""
    if draft.is_container:
        return
    version = draft.wishes.one_of("tpm_version", _TPM_VERSIONS)
    if version is None:
        return
    model = draft.wishes.one_of("tpm_model", _TPM_MODELS) or "tpm-tis"
    if model == "tpm-crb" and version != "2.0":
        raise errors.Invalid(f"hw_tpm_model {model} exists only with hw_tpm_version 2.0, not {version}.")
    facts = draft.facts
    offers = (facts.tpm_versions is None or version in facts.tpm_versions) and (
        facts.tpm_models is None or model in facts.tpm_models
    )
    has_emulator = facts.tpm_backends is None or "emulator" in facts.tpm_backends
    if not (draft.options.swtpm_enabled and offers and has_emulator):
        raise errors.Invalid(
            f"hw_tpm_version {version} ({model}) is asked for, and this host emulates none "
            f"([libvirt]swtpm_enabled)."
        )
    secret = draft.instance.system_metadata.get("vtpm_secret_uuid")
    if not secret:
        raise errors.Invalid(
            f"hw_tpm_version is {version}, but there is no secret to encrypt the TPM's state with."
        )
    domain.tpm = Tpm(model=model, backend_type="emulator", backend_version=version, secret_uuid=secret)


def design_watchdog(draft: Draft, domain: Domain) -> None:
    """The image's word goes before the flavor's. Raises InvalidWatchdogAction."""
    action = draft.wishes.prop("hw_watchdog_action") or draft.wishes.extra("hw:watchdog_action") or "disabled"
    if action not in _WATCHDOG_ACTIONS:
        raise errors.InvalidWatchdogAction(
            f"hw:watchdog_action is {action!r}; it can be {', '.join(_WATCHDOG_ACTIONS)}."
        )
    if action != "disabled" and not draft.is_container:
        domain.watchdog = Watchdog(model="i6300esb", action=action)


def design_balloon(draft: Draft, domain: Domain) -> None:
    """With it the guest tells how much memory it uses, every [libvirt]mem_stats_period_seconds."""
    if draft.is_container:
        return
    period = draft.options.balloon_period_seconds
    if period > 0:
        domain.balloon = Balloon(
            model="virtio", autodeflate=True, free_page_reporting=True, stats_period_seconds=period
        )
    else:
        domain.balloon = Balloon(model="none")


def design_iommu(draft: Draft, domain: Domain) -> None:
    """A virtual IOMMU. Raises InvalidVIOMMUMachineType, InvalidVIOMMUArchitecture, Invalid."""
    wishes, machine = draft.wishes, draft.machine
    model = wishes.extra("hw:viommu_model") or wishes.prop("hw_viommu_model")
    if not model or draft.is_container:
        return
    if model not in _IOMMU_MODELS:
        raise errors.Invalid(
            f"Extra spec hw:viommu_model is {model!r}; it can be {', '.join(_IOMMU_MODELS)}."
        )
    if not machine.is_x86 and machine.arch != "aarch64":
        raise errors.InvalidVIOMMUArchitecture(
            f"hw:viommu_model or hw_viommu_model is {model!r}; {machine.arch} has no virtual IOMMU."
        )
    if ("q35" if machine.is_x86 else "virt") not in (machine.type or ""):
        raise errors.InvalidVIOMMUMachineType(
            f"hw:viommu_model or hw_viommu_model is {model!r}; machine type {machine.type} on "
            f"{machine.arch} has no virtual IOMMU."
        )
    if model == "auto":
        older = "intel" if machine.is_x86 else "smmuv3"
        model = "virtio" if draft.host.libvirt_version >= _VIRTIO_IOMMU else older
    domain.iommu = Iommu(model=model)
    if model == "intel":  # libvirt knows these settings of no other model
        domain.iommu.interrupt_remapping = True
        domain.iommu.caching_mode = True
        domain.iommu.iotlb = True
        domain.iommu.aw_bits = _ADDRESS_BITS
        domain.iommu.eim = machine.is_q35
    if machine.is_x86:
        domain.features = domain.features or Features()
        domain.features.ioapic_driver = "qemu"


def design_pcie_ports(draft: Draft, domain: Domain) -> None:
    """[libvirt]num_pcie_ports: places into which devices can be plugged while the guest runs."""
    count = draft.options.pcie_ports
    if not count or draft.is_container or not draft.machine.has_pcie:
        return
    domain.controllers.append(Controller(type="pci", model="pcie-root"))
    domain.controllers.extend(Controller(type="pci", model="pcie-root-port") for _ in range(count))


def design_usb(draft: Draft, domain: Domain) -> None:
    """The USB controller, or none where nothing needs it; ports for the user's own devices.

    Raises FlavorImageConflict, Invalid.
    """
    model = draft.wishes.one_of("usb_model", _USB_MODELS)
    ports = draft.wishes.one_of("redirected_usb_ports", ())
    if draft.is_container:
        return
    usb = Controller(type="usb", index=0)
    is_needed = (
        draft.machine.arch in PPC
        or any(disk.target_bus == "usb" for disk in domain.disks)
        or any(device.bus == "usb" for device in domain.inputs)
    )
    if not is_needed:
        usb.model = model or "none"
    domain.controllers.append(usb)
    domain.usb_redirects.extend(UsbRedirect(bus="usb", type="spicevmc") for _ in range(_usb_ports(ports)))


def _usb_ports(text: str | None) -> int:
    try:
        count = int(text or 0)
    except ValueError:
        count = -1
    if not 0 <= count <= _MOST_USB_PORTS:
        raise errors.Invalid(f"hw:redirected_usb_ports is {text!r}; it can be 0 to {_MOST_USB_PORTS}.")
    return count


def design_host_devices(draft: Draft, domain: Domain) -> None:
    """Devices of the host given to the guest. Raises PciDeviceUnsupportedHypervisor for a container."""
    devices = draft.request.host_devices
    if devices and draft.is_container:
        raise errors.PciDeviceUnsupportedHypervisor(type=draft.options.virt_type)
    domain.host_devices.extend(devices)
