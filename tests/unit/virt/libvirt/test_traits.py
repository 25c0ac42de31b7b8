"""Traits by what the host, QEMU and the options say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("lxml")

from computed.virt.libvirt import traits
from computed.virt.libvirt.traits import TraitFacts
from computed.virt.libvirt.xml.domain_capabilities import (
    Choice,
    DiskOffer,
    DomainCapabilities,
    TpmOffer,
    VideoOffer,
)

PLAIN = DomainCapabilities(
    disk=DiskOffer(supported=True, choices=[Choice(name="bus", values=["virtio", "sata"])]),
    video=VideoOffer(supported=True, choices=[Choice(name="modelType", values=["vga", "ramfb"])]),
)
FACTS = TraitFacts(
    "qemu", "x86_64", 9_000_000, 7_002_000, {"x86_64": {"q35": PLAIN}}, frozenset({"avx", "vmx"})
)


def there(facts: TraitFacts, prefix: str) -> set[str]:
    """What is said to be there, without the prefix."""
    said = traits.decided(facts)
    return {
        name.removeprefix(prefix) for name, is_there in said.items() if is_there and name.startswith(prefix)
    }


@pytest.mark.parametrize(
    ("change", "prefix", "expected"),
    [
        ({}, "HW_CPU_X86_", {"AVX", "VMX", "INTEL_VMX"}),
        ({"cpu_features": frozenset({"svm"})}, "HW_CPU_X86_", {"SVM", "AMD_SVM"}),
        ({"has_hyperthreading": True}, "HW_CPU_HYPER", {"THREADING"}),
        ({}, "HW_CPU_HYPER", set()),
        ({}, "HW_ARCH_", {"X86_64"}),
        ({"arch": "loongarch64"}, "HW_ARCH_", set()),
        ({}, "COMPUTE_ARCH_", {"X86_64"}),
        ({"domains": {"aarch64": {}, "i686": {}}}, "COMPUTE_ARCH_", {"AARCH64"}),
        ({}, "COMPUTE_STORAGE_BUS_", {"VIRTIO", "SATA"}),
        ({"virt_type": "lxc"}, "COMPUTE_STORAGE_BUS_", {"LXC"}),
        ({"virt_type": "parallels"}, "COMPUTE_STORAGE_BUS_", {"IDE", "SCSI"}),
        ({}, "COMPUTE_GRAPHICS_MODEL_", {"VGA"}),
        ({"virt_type": "lxc"}, "COMPUTE_NET_VIF_MODEL_", set()),
        ({"virt_type": "parallels"}, "COMPUTE_NET_VIF_MODEL_", {"VIRTIO", "RTL8139", "E1000"}),
        ({}, "COMPUTE_VIOMMU_MODEL_", {"AUTO", "INTEL", "VIRTIO"}),
        ({"libvirt_version": 8_000_000}, "COMPUTE_VIOMMU_MODEL_", {"AUTO", "INTEL"}),
        ({"domains": {"aarch64": {}}}, "COMPUTE_VIOMMU_MODEL_", {"AUTO", "SMMUV3", "VIRTIO"}),
        ({}, "COMPUTE_SECURITY_TPM_", set()),
    ],
)
def test_traits(change: dict[str, Any], prefix: str, expected: set[str]) -> None:
    assert there(replace(FACTS, **change), prefix) == expected


@pytest.mark.parametrize(
    ("libvirt", "qemu", "sound", "igb"),
    [
        (9_000_000, 7_002_000, False, False),
        (9_003_000, 8_000_000, False, True),
        (10_004_000, 8_001_000, False, True),
        (10_004_000, 8_002_000, True, True),
    ],
)
def test_what_newer_ones_bring(libvirt: int, qemu: int, sound: bool, igb: bool) -> None:
    said = traits.decided(replace(FACTS, libvirt_version=libvirt, qemu_version=qemu))
    assert (said["COMPUTE_SOUND_MODEL_VIRTIO"], said["COMPUTE_NET_VIF_MODEL_IGB"]) == (sound, igb)


def test_cards_of_kvm_are_those_of_qemu_without_one() -> None:
    qemu = there(FACTS, "COMPUTE_NET_VIF_MODEL_")
    assert qemu - there(replace(FACTS, virt_type="kvm"), "COMPUTE_NET_VIF_MODEL_") == {"LAN9118"}
    assert "SPAPR_VLAN" in qemu


def test_nothing_is_said_of_processors_of_which_nothing_is_known() -> None:
    said = traits.decided(replace(FACTS, cpu_features=None))
    assert not [trait for trait in said if trait.startswith("HW_CPU_X86_")]


@pytest.mark.parametrize(
    ("tpm", "expected"),
    [
        (None, set()),
        (TpmOffer(supported=False), set()),
        (TpmOffer(supported=True, choices=[Choice(name="model", values=["tpm-crb"])]), {"1_2", "2_0", "CRB"}),
        (
            TpmOffer(
                supported=True,
                choices=[
                    Choice(name="model", values=["tpm-tis", "tpm-crb"]),
                    Choice(name="backendVersion", values=["2.0"]),
                ],
            ),
            {"2_0", "TIS", "CRB"},
        ),
    ],
)
def test_trusted_platform_modules(tpm: TpmOffer | None, expected: set[str]) -> None:
    facts = replace(
        FACTS,
        swtpm_enabled=True,
        tpm_secret_security=("user", "host"),
        domains={"x86_64": {"q35": DomainCapabilities(tpm=tpm)}},
    )
    secrets = {"SECRET_SECURITY_USER", "SECRET_SECURITY_HOST"}
    assert there(facts, "COMPUTE_SECURITY_TPM_") == expected | secrets
