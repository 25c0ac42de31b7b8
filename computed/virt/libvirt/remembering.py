"""What was chosen for a guest is remembered with it, so that it stays when the host's own choice changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from computed.virt.libvirt.design.vcpu_model import vcpu_model

if TYPE_CHECKING:
    from computed.virt.libvirt.drafting import Draft
    from computed.virt.libvirt.xml.domain import Domain
    from computed.virt.specs import GuestSpec

_POINTERS: Final = {"tablet": "usbtablet"}


def remember_choices(spec: GuestSpec, draft: Draft) -> None:
    """Put into the instance's system metadata what its image leaves open, and its processor; the next save of
    the instance records it (contract host_files.json, domain.image_property_defaults_stored_at_start)."""
    metadata = spec.instance.system_metadata
    for name, value in choices(draft).items():
        if value is not None and f"image_{name}" not in metadata:
            metadata[f"image_{name}"] = value
    spec.instance.vcpu_model = vcpu_model(draft.domain.cpu)


def choices(draft: Draft) -> dict[str, str | None]:
    """Image property → what this guest has; None for what it has not."""
    domain = draft.domain
    pointer = next((device for device in domain.inputs if device.type != "keyboard"), None)
    return {
        "hw_machine_type": domain.os.machine if domain.os is not None else None,
        "hw_disk_bus": _bus_of(draft, "disk"),
        "hw_cdrom_bus": _bus_of(draft, "cdrom"),
        "hw_input_bus": pointer.bus if pointer is not None else None,
        "hw_pointer_model": _POINTERS.get(pointer.type or "", pointer.type) if pointer is not None else None,
        "hw_video_model": _video_model(domain),
        "hw_vif_model": next((interface.model for interface in domain.interfaces), None),
    }


def _bus_of(draft: Draft, device: str) -> str | None:
    """The bus of the guest's own devices of that kind; that of a config drive is nobody's choice."""
    return next((d.bus for d in draft.disks if d.device == device and d.kind != "config_drive"), None)


def _video_model(domain: Domain) -> str | None:
    return next((video.model for video in domain.videos), None)
