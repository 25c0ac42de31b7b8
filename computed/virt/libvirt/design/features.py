"""What the machine can do beside its processor, and how it keeps time."""

from __future__ import annotations

from typing import Final

from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.design.encryption import encryption_of
from computed.virt.libvirt.xml.cpu import Clock, Features, HyperV, Timer
from computed.virt.libvirt.xml.domain import Domain

_WITH_VMCOREINFO: Final = frozenset({"i686", "x86_64", "aarch64"})
_SPINLOCK_RETRIES: Final = 8191  # what those who certify Windows on KVM recommend
_HIDDEN_VENDOR: Final = "1234567890ab"


def design_features(draft: Draft, domain: Domain) -> None:
    """ACPI, APIC, Hyper-V enlightenments, a hidden KVM, PMU, vmcoreinfo. Raises FlavorImageConflict."""
    if draft.is_container:
        return
    wishes = draft.wishes
    features = Features(acpi=True, apic=None if draft.options.apic_disabled else True)
    is_hidden = (
        wishes.extra_flag("hide_hypervisor_id")
        or wishes.extra_flag("hw:hide_hypervisor_id")
        or bool(wishes.prop("img_hide_hypervisor_id"))
    )
    if draft.options.virt_type == "qemu" and draft.options.translation_cache_mib:
        features.tb_cache = draft.options.translation_cache_mib
        features.tb_cache_unit = "MiB"
    if draft.is_windows:
        features.hyperv = _hyperv(is_hidden=is_hidden)
    # The guest's kernel writes it by DMA, which encrypted memory forbids.
    if (
        draft.machine.arch in _WITH_VMCOREINFO
        and draft.facts.supports_vmcoreinfo
        and not encryption_of(draft)
    ):
        features.vmcoreinfo = True
    if is_hidden:
        features.kvm_hidden = True
    features.pmu = wishes.one_flag("pmu")
    domain.features = features


def _hyperv(*, is_hidden: bool) -> HyperV:
    return HyperV(
        relaxed=True,
        vapic=True,
        spinlocks=True,
        spinlock_retries=_SPINLOCK_RETRIES,
        vpindex=True,
        runtime=True,
        synic=True,
        reset=True,
        vendor_id_state=True if is_hidden else None,
        vendor_id=_HIDDEN_VENDOR if is_hidden else None,
        frequencies=True,
        tlbflush=True,
        ipi=True,
    )


def design_clock(draft: Draft, domain: Domain) -> None:
    """UTC, or local time for Windows; under kvm the timers that keep a guest in time."""
    clock = Clock(offset="localtime" if draft.is_windows else "utc")
    domain.clock = clock
    if draft.options.virt_type != "kvm":
        return
    clock.timers = [Timer(name="pit", tick_policy="delay"), Timer(name="rtc", tick_policy="catchup")]
    if draft.machine.is_x86:
        clock.timers.append(Timer(name="hpet", present=bool(draft.wishes.prop("hw_time_hpet"))))
    if draft.is_windows:
        clock.timers.append(Timer(name="hypervclock", present=True))
