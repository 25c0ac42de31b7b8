"""Encrypted memory: whether a guest wants it, whether it can have it, how it is launched."""

from __future__ import annotations

from typing import Final

from computed import errors
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.wishes import Wishes
from computed.virt.libvirt.xml.boot import LaunchSecurity
from computed.virt.libvirt.xml.domain import Domain

_SEV: Final = "amd-sev"
_SEV_ES: Final = "amd-sev-es"
_MODELS: Final = (_SEV, _SEV_ES, "amd-sev-snp", "intel-tdx")
# Bits of SEV's policy: no debugging, no sharing of keys, no move out of the domain, no move off SEV; with ES.
_POLICIES: Final = {_SEV: "0x0033", _SEV_ES: "0x0037"}
_FILLS_IN_BITS: Final = 8_004_000  # the libvirt that finds out cbitpos and reducedPhysBits by itself


def encryption_of(draft: Draft) -> str | None:
    """The model of encryption that flavor or image ask for (amd-sev when they name none), or None.

    Raises FlavorImageConflict, InvalidMachineType, and Invalid when the host does not have it: a guest that
    asked for encrypted memory never starts without.
    """
    wishes = draft.wishes
    if not wishes.one_flag("mem_encryption"):
        return None
    model = wishes.one_of("mem_encryption_model", _MODELS) or _SEV
    if wishes.prop("hw_firmware_type") != "uefi":
        raise errors.FlavorImageConflict(
            f"hw:mem_encryption or hw_mem_encryption is true; that needs property hw_firmware_type=uefi "
            f"on image {wishes.image_name}; it is {wishes.prop('hw_firmware_type')!r}."
        )
    _check_machine(draft, wishes)
    if not _has(draft, model):
        raise errors.Invalid(
            f"hw_mem_encryption is true with hw_mem_encryption_model {model}, and this host does not have it "
            f"(its libvirt, QEMU, kernel or processor lacks it)."
        )
    return model


def design_encryption(draft: Draft, domain: Domain) -> None:
    """SEV and SEV-ES."""
    model = None if draft.is_container else encryption_of(draft)
    if model is None:
        return
    domain.launch_security = LaunchSecurity(type="sev", policy=_POLICIES[model])
    facts = draft.facts.sev
    if facts is not None and draft.host.libvirt_version < _FILLS_IN_BITS:
        domain.launch_security.cbitpos = str(facts.cbitpos)
        domain.launch_security.reduced_phys_bits = str(facts.reduced_phys_bits)


def _check_machine(draft: Draft, wishes: Wishes) -> None:
    if draft.machine.is_q35:
        return
    raise errors.InvalidMachineType(
        mtype=draft.machine.type,
        image_name=wishes.image_name,
        image_id=getattr(wishes.image_meta, "id", None),
        reason="hw:mem_encryption or hw_mem_encryption is true, which needs machine type q35",
    )


def _has(draft: Draft, model: str) -> bool:
    sev = draft.facts.sev
    if sev is None or model not in _POLICIES:
        return False
    return model == _SEV or sev.supports_es
