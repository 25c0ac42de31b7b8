"""What QEMU can do for guests of one architecture and machine type (parse only)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.cpu import CpuFeature
from computed.virt.libvirt.xml.element import NUMBER, YES_NO, Element, part, parts, word, words


@dataclass(kw_only=True)
class Choice(Element):
    """The values that an attribute may have."""

    TAG: ClassVar[str] = "enum"

    name: str | None = word("@name")
    values: list[str] = words("value")


@dataclass(kw_only=True)
class Offer(Element):
    """Something that may be supported, and in which kinds."""

    supported: bool | None = word("@supported", YES_NO)
    choices: list[Choice] = parts(Choice)

    def values(self, name: str) -> frozenset[str] | None:
        """The values of one attribute; none when the thing is not supported, None when nothing is said."""
        if self.supported is False:
            return frozenset()
        return next((frozenset(choice.values) for choice in self.choices if choice.name == name), None)


@dataclass(kw_only=True)
class Loader(Offer):
    """Firmware in an image."""

    TAG: ClassVar[str] = "loader"


@dataclass(kw_only=True)
class OsOffer(Offer):
    """How guests boot."""

    TAG: ClassVar[str] = "os"

    loader: Loader | None = part(Loader)


@dataclass(kw_only=True)
class ModelOffer(Element):
    """A CPU model; `usable` says whether this host can run it."""

    TAG: ClassVar[str] = "model"

    name: str | None = word(".")
    usable: str | None = word("@usable")


@dataclass(kw_only=True)
class CpuMode(Offer):
    """One mode of CPUs: host-passthrough, maximum, host-model (with its model), custom (with all models)."""

    TAG: ClassVar[str] = "mode"

    name: str | None = word("@name")
    models: list[ModelOffer] = parts(ModelOffer)
    features: list[CpuFeature] = parts(CpuFeature)


@dataclass(kw_only=True)
class DiskOffer(Offer):
    """Disks: diskDevice, bus, model."""

    TAG: ClassVar[str] = "disk"


@dataclass(kw_only=True)
class GraphicsOffer(Offer):
    """Graphics: type."""

    TAG: ClassVar[str] = "graphics"


@dataclass(kw_only=True)
class VideoOffer(Offer):
    """Video cards: modelType."""

    TAG: ClassVar[str] = "video"


@dataclass(kw_only=True)
class RngOffer(Offer):
    """Random number generators: model, backendModel."""

    TAG: ClassVar[str] = "rng"


@dataclass(kw_only=True)
class FilesystemOffer(Offer):
    """Shares: driverType."""

    TAG: ClassVar[str] = "filesystem"


@dataclass(kw_only=True)
class TpmOffer(Offer):
    """TPMs: model, backendModel, backendVersion."""

    TAG: ClassVar[str] = "tpm"


@dataclass(kw_only=True)
class VmcoreinfoOffer(Offer):
    """A place where the guest's kernel says how to read its dump."""

    TAG: ClassVar[str] = "vmcoreinfo"


@dataclass(kw_only=True)
class SevOffer(Offer):
    """Memory encryption of AMD processors."""

    TAG: ClassVar[str] = "sev"

    cbitpos: int | None = word("cbitpos", NUMBER)
    reduced_phys_bits: int | None = word("reducedPhysBits", NUMBER)
    max_guests: int | None = word("maxGuests", NUMBER)
    max_es_guests: int | None = word("maxESGuests", NUMBER)


@dataclass(kw_only=True)
class LaunchSecurityOffer(Offer):
    """Kinds of memory encryption: sectype."""

    TAG: ClassVar[str] = "launchSecurity"


@dataclass(kw_only=True)
class DomainCapabilities(Element):
    """virConnectGetDomainCapabilities."""

    TAG: ClassVar[str] = "domainCapabilities"

    path: str | None = word("path")
    domain: str | None = word("domain")
    machine: str | None = word("machine")
    arch: str | None = word("arch")
    os: OsOffer | None = part(OsOffer)
    cpu_modes: list[CpuMode] = parts(CpuMode, inside="cpu")
    disk: DiskOffer | None = part(DiskOffer, inside="devices")
    graphics: GraphicsOffer | None = part(GraphicsOffer, inside="devices")
    video: VideoOffer | None = part(VideoOffer, inside="devices")
    rng: RngOffer | None = part(RngOffer, inside="devices")
    filesystem: FilesystemOffer | None = part(FilesystemOffer, inside="devices")
    tpm: TpmOffer | None = part(TpmOffer, inside="devices")
    vmcoreinfo: VmcoreinfoOffer | None = part(VmcoreinfoOffer, inside="features")
    sev: SevOffer | None = part(SevOffer, inside="features")
    launch_security: LaunchSecurityOffer | None = part(LaunchSecurityOffer, inside="features")

    def mode(self, name: str) -> CpuMode | None:
        """A CPU mode by its name."""
        return next((mode for mode in self.cpu_modes if mode.name == name), None)
