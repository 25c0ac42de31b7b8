"""Which traits the root provider has, and which of them nobody but this driver decides about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from computed.virt.libvirt.xml.domain_capabilities import DomainCapabilities

# Contract: service.json, traits.libvirt_families.
CPU_FEATURES: Final[Mapping[str, tuple[str, ...]]] = {
    "3dnow": ("3DNOW",),
    "abm": ("ABM",),
    "aes": ("AESNI",),
    "amx-bf16": ("AMXBF16",),
    "amx-int8": ("AMXINT8",),
    "amx-tile": ("AMXTILE",),
    "avx": ("AVX",),
    "avx2": ("AVX2",),
    "avx512-vpopcntdq": ("AVX512VPOPCNTDQ",),
    "avx512bitalg": ("AVX512BITALG",),
    "avx512bw": ("AVX512BW",),
    "avx512cd": ("AVX512CD",),
    "avx512dq": ("AVX512DQ",),
    "avx512er": ("AVX512ER",),
    "avx512f": ("AVX512F",),
    "avx512ifma": ("AVX512IFMA",),
    "avx512pf": ("AVX512PF",),
    "avx512vbmi": ("AVX512VBMI",),
    "avx512vbmi2": ("AVX512VBMI2",),
    "avx512vl": ("AVX512VL",),
    "avx512vnni": ("AVX512VNNI",),
    "bmi1": ("BMI",),
    "bmi2": ("BMI2",),
    "f16c": ("F16C",),
    "fma": ("FMA3",),
    "fma4": ("FMA4",),
    "gfni": ("AVX512GFNI",),
    "mmx": ("MMX",),
    "mpx": ("MPX",),
    "pclmuldq": ("CLMUL",),
    "sha-ni": ("SHA",),
    "sse": ("SSE",),
    "sse2": ("SSE2",),
    "sse3": ("SSE3",),
    "sse4.1": ("SSE41",),
    "sse4.2": ("SSE42",),
    "sse4a": ("SSE4A",),
    "ssse3": ("SSSE3",),
    "svm": ("SVM", "AMD_SVM"),
    "tbm": ("TBM",),
    "vaes": ("AVX512VAES",),
    "vmx": ("VMX", "INTEL_VMX"),
    "vpclmulqdq": ("AVX512VPCLMULQDQ",),
    "xop": ("XOP",),
}
ARCHITECTURES: Final = frozenset(
    (
        "aarch64",
        "alpha",
        "armv6",
        "armv7",
        "armv7b",
        "cris",
        "i686",
        "ia64",
        "lm32",
        "m68k",
        "microblaze",
        "microblazeel",
        "mips",
        "mips64",
        "mips64el",
        "mipsel",
        "openrisc",
        "parisc",
        "parisc64",
        "ppc",
        "ppc64",
        "ppc64le",
        "ppcemb",
        "ppcle",
        "s390",
        "s390x",
        "sh4",
        "sh4eb",
        "sparc",
        "sparc64",
        "unicore32",
        "x86_64",
        "xtensa",
        "xtensaeb",
    )
)
EMULATED: Final = frozenset({"aarch64", "mipsel", "ppc64le", "riscv64", "s390x", "x86_64"})
VIDEO_MODELS: Final = frozenset({"bochs", "cirrus", "gop", "none", "qxl", "vga", "virtio", "vmvga", "xen"})
SOUND_MODELS: Final = frozenset({"ac97", "es1370", "ich6", "ich9", "pcspk", "sb16", "usb", "virtio"})
IOMMU_MODELS: Final = frozenset({"auto", "intel", "smmuv3", "virtio"})
DISK_BUSES: Final = frozenset({"fdc", "ide", "lxc", "sata", "scsi", "uml", "usb", "virtio", "xen"})
SECRET_SECURITY: Final = frozenset({"user", "host", "deployment"})
_KVM_VIFS: Final = frozenset(
    {"virtio", "ne2k_pci", "pcnet", "rtl8139", "e1000", "e1000e", "spapr-vlan", "vmxnet3", "igb"}
)
VIF_MODELS: Final[Mapping[str, frozenset[str]]] = {
    "kvm": _KVM_VIFS,
    "qemu": _KVM_VIFS | {"lan9118"},
    "lxc": frozenset(),
    "parallels": frozenset({"virtio", "rtl8139", "e1000"}),
}
_STATIC_BUSES: Final[Mapping[str, frozenset[str]]] = {
    "lxc": frozenset({"lxc"}),
    "parallels": frozenset({"ide", "scsi"}),
}
# Contract: virt_driver.json, libvirt_constants.
_IGB: Final = (9_003_000, 8_000_000)
_VIRTIO_SOUND: Final = (10_004_000, 8_002_000)
_VIRTIO_IOMMU: Final = 8_003_000

DomainsByMachine = Mapping[str, Mapping[str, DomainCapabilities]]
"""Architecture → machine type → what QEMU can do."""


@dataclass(frozen=True, slots=True)
class TraitFacts:
    """What traits follow from. `cpu_features` None: nothing is known of the processors of guests."""

    virt_type: str
    arch: str
    libvirt_version: int
    qemu_version: int
    domains: DomainsByMachine
    cpu_features: frozenset[str] | None = None
    has_hyperthreading: bool = False
    swtpm_enabled: bool = False
    tpm_secret_security: tuple[str, ...] = ()


def decided(facts: TraitFacts) -> dict[str, bool]:
    """Every trait that this driver decides about beside those of its capabilities → whether it is there."""
    said = {"HW_CPU_HYPERTHREADING": facts.has_hyperthreading, "COMPUTE_NET_VIRTIO_PACKED": True}
    said.update(_cpu(facts))
    said.update(_each("HW_ARCH", ARCHITECTURES & {facts.arch}, {facts.arch}))
    said.update(_each("COMPUTE_ARCH", EMULATED, facts.domains))
    said.update(_each("COMPUTE_STORAGE_BUS", DISK_BUSES, _buses(facts)))
    said.update(_each("COMPUTE_GRAPHICS_MODEL", VIDEO_MODELS, _values(facts, "video", "modelType")))
    said.update(_each("COMPUTE_NET_VIF_MODEL", VIF_MODELS["qemu"], vif_models(facts)))
    said.update(_each("COMPUTE_VIOMMU_MODEL", IOMMU_MODELS, _iommu_models(facts)))
    said.update(_each("COMPUTE_SOUND_MODEL", SOUND_MODELS, _sound_models(facts)))
    said.update(_tpm(facts))
    return said


def vif_models(facts: TraitFacts) -> frozenset[str]:
    """Models of network cards that guests may have."""
    found = VIF_MODELS.get(facts.virt_type, frozenset())
    has_igb = facts.libvirt_version >= _IGB[0] and facts.qemu_version >= _IGB[1]
    return found if has_igb else found - {"igb"}


def _each(prefix: str, names: Iterable[str], present: Iterable[str]) -> dict[str, bool]:
    there = set(present)
    return {f"{prefix}_{name.replace('-', '_').upper()}": name in there for name in names}


def _cpu(facts: TraitFacts) -> dict[str, bool]:
    if facts.cpu_features is None:
        return {}
    return {
        f"HW_CPU_X86_{trait}": feature in facts.cpu_features
        for feature, traits in CPU_FEATURES.items()
        for trait in traits
    }


def _values(facts: TraitFacts, device: str, name: str) -> set[str]:
    """What any machine type of any architecture can have."""
    found: set[str] = set()
    for machines in facts.domains.values():
        for domain in machines.values():
            offer = getattr(domain, device)
            found |= (offer and offer.values(name)) or set()
    return found


def _buses(facts: TraitFacts) -> Iterable[str]:
    if facts.virt_type in ("kvm", "qemu"):
        return _values(facts, "disk", "bus")
    return _STATIC_BUSES.get(facts.virt_type, frozenset())


def _iommu_models(facts: TraitFacts) -> set[str]:
    found = {"auto"}
    found |= {"smmuv3"} if "aarch64" in facts.domains else set()
    found |= {"intel"} if "x86_64" in facts.domains else set()
    return found | ({"virtio"} if facts.libvirt_version >= _VIRTIO_IOMMU else set())


def _sound_models(facts: TraitFacts) -> frozenset[str]:
    # libvirt's domain capabilities say nothing of them.
    has_virtio = facts.libvirt_version >= _VIRTIO_SOUND[0] and facts.qemu_version >= _VIRTIO_SOUND[1]
    return SOUND_MODELS if has_virtio else SOUND_MODELS - {"virtio"}


def _tpm(facts: TraitFacts) -> dict[str, bool]:
    versions, models = _tpm_offer(facts) if facts.swtpm_enabled else (frozenset(), frozenset())
    said = {
        "COMPUTE_SECURITY_TPM_1_2": "1.2" in versions,
        "COMPUTE_SECURITY_TPM_2_0": "2.0" in versions,
        "COMPUTE_SECURITY_TPM_TIS": "tpm-tis" in models,
        "COMPUTE_SECURITY_TPM_CRB": "tpm-crb" in models,
    }
    if facts.swtpm_enabled:
        chosen = SECRET_SECURITY & set(facts.tpm_secret_security)
        said |= _each("COMPUTE_SECURITY_TPM_SECRET_SECURITY", chosen, chosen)
    return said


def _tpm_offer(facts: TraitFacts) -> tuple[frozenset[str], frozenset[str]]:
    """Versions and models for the host's own architecture; libvirt before 8.6 does not tell versions."""
    for domain in facts.domains.get(facts.arch, {}).values():
        if domain.tpm is None:
            return frozenset(), frozenset()
        versions = domain.tpm.values("backendVersion")
        both = frozenset({"1.2", "2.0"})
        return both if versions is None else versions, domain.tpm.values("model") or frozenset()
    return frozenset(), frozenset()
