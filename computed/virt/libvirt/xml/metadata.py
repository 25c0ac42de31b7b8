"""The metadata element: what other programs on the host can read of an instance (host_files.json, domain)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from computed.virt.libvirt.xml.element import NUMBER, PRESENT, Element, part, parts, word


@dataclass(kw_only=True)
class ExtraSpec(Element):
    """One extra spec of the flavor."""

    TAG: ClassVar[str] = "nova:extraSpec"

    name: str | None = word("@name")
    value: str | None = word(".")


@dataclass(kw_only=True)
class MetaFlavor(Element):
    """The flavor; sizes in MiB (memory, swap) and GiB. `has_extra_specs`: even of none."""

    TAG: ClassVar[str] = "nova:flavor"

    name: str | None = word("@name")
    id: str | None = word("@id")
    memory_mib: int | None = word("nova:memory", NUMBER)
    disk_gib: int | None = word("nova:disk", NUMBER)
    swap_mib: int | None = word("nova:swap", NUMBER)
    ephemeral_gib: int | None = word("nova:ephemeral", NUMBER)
    vcpus: int | None = word("nova:vcpus", NUMBER)
    has_extra_specs: bool | None = word("nova:extraSpecs", PRESENT)
    extra_specs: list[ExtraSpec] = parts(ExtraSpec, inside="nova:extraSpecs")


@dataclass(kw_only=True)
class MetaProperty(Element):
    """One property of the image."""

    TAG: ClassVar[str] = "nova:property"

    name: str | None = word("@name")
    value: str | None = word(".")


@dataclass(kw_only=True)
class MetaImage(Element):
    """The image that the guest was made of; `has_properties`: even of none."""

    TAG: ClassVar[str] = "nova:image"

    uuid: str | None = word("@uuid")
    container_format: str | None = word("nova:containerFormat")
    disk_format: str | None = word("nova:diskFormat")
    min_disk_gib: int | None = word("nova:minDisk", NUMBER)
    min_ram_mib: int | None = word("nova:minRam", NUMBER)
    has_properties: bool | None = word("nova:properties", PRESENT)
    properties: list[MetaProperty] = parts(MetaProperty, inside="nova:properties")


@dataclass(kw_only=True)
class MetaAddress(Element):
    """One address of a port."""

    TAG: ClassVar[str] = "nova:ip"

    type: str | None = word("@type")
    address: str | None = word("@address")
    ip_version: int | None = word("@ipVersion", NUMBER)


@dataclass(kw_only=True)
class MetaPort(Element):
    """One port."""

    TAG: ClassVar[str] = "nova:port"

    uuid: str | None = word("@uuid")
    addresses: list[MetaAddress] = parts(MetaAddress)


@dataclass(kw_only=True)
class InstanceMetadata(Element):
    """All that is told of an instance."""

    TAG: ClassVar[str] = "nova:instance"

    package_version: str | None = word("nova:package/@version")
    name: str | None = word("nova:name")
    created: str | None = word("nova:creationTime")
    flavor: MetaFlavor | None = part(MetaFlavor)
    image: MetaImage | None = part(MetaImage)
    user_name: str | None = word("nova:owner/nova:user")
    user_id: str | None = word("nova:owner/nova:user/@uuid")
    project_name: str | None = word("nova:owner/nova:project")
    project_id: str | None = word("nova:owner/nova:project/@uuid")
    root_type: str | None = word("nova:root/@type")
    root_uuid: str | None = word("nova:root/@uuid")
    ports: list[MetaPort] = parts(MetaPort, inside="nova:ports")
