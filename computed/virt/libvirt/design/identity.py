"""Who a guest is: name, size, metadata, and what its SMBIOS says."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Final

from computed import errors
from computed.virt.libvirt.design.draft import Draft
from computed.virt.libvirt.xml.boot import Sysinfo, SysinfoEntry
from computed.virt.libvirt.xml.domain import Domain, PerfEvent
from computed.virt.libvirt.xml.metadata import (
    ExtraSpec,
    InstanceMetadata,
    MetaAddress,
    MetaFlavor,
    MetaImage,
    MetaPort,
    MetaProperty,
)

_KIB_PER_MIB: Final = 1024
_NOBODY: Final = "N/A"  # what stock writes when the request's context told no name
_GONE_FROM_KERNELS: Final = frozenset({"cmt", "mbml", "mbmt"})


def design_identity(draft: Draft, domain: Domain) -> None:
    """Type, UUID, name, memory and number of CPUs. A foreign architecture is always emulated."""
    instance = draft.instance
    virt_type = draft.options.virt_type
    domain.type = "qemu" if virt_type == "kvm" and draft.machine.is_foreign else virt_type
    domain.uuid = instance.uuid
    domain.name = instance.name
    domain.memory_kib = instance.flavor.memory_mb * _KIB_PER_MIB
    domain.vcpus = instance.flavor.vcpus


def design_sysinfo(draft: Draft, domain: Domain) -> None:
    """SMBIOS of PCs (host_files.json, sysinfo). Raises InternalError when /etc/machine-id is none."""
    if draft.is_container or not draft.machine.is_x86:
        return
    entries = [
        ("manufacturer", "OpenStack Foundation"),
        ("product", "OpenStack Nova"),
        ("version", draft.request.package_version),
        ("serial", _serial(draft)),
        ("uuid", draft.instance.uuid),
        ("family", "Virtual Machine"),
    ]
    system = [SysinfoEntry(name=name, value=value) for name, value in entries if value is not None]
    domain.sysinfo = Sysinfo(type="smbios", system=system)


def _serial(draft: Draft) -> str | None:
    source = draft.options.sysinfo_serial
    if source == "unique":
        return str(draft.instance.uuid)
    if source == "none":
        return None
    host = draft.host
    if source == "hardware" or (source == "auto" and host.machine_id is None):
        return host.host_uuid
    try:
        return str(uuid.UUID((host.machine_id or "").split()[0]))
    except (IndexError, ValueError):
        raise errors.InternalError(
            f"[libvirt]sysinfo_serial is {source!r}, but /etc/machine-id is missing, empty or no id."
        ) from None


def design_perf_events(draft: Draft, domain: Domain) -> None:
    """[libvirt]enabled_perf_events, as far as libvirt and the kernel still count them."""
    known = draft.host.perf_events
    for name in draft.options.perf_events:
        if name not in _GONE_FROM_KERNELS and (known is None or name in known):
            domain.perf_events.append(PerfEvent(name=name, enabled="yes"))


def design_metadata(draft: Draft, domain: Domain) -> None:
    """What other programs on the host read of an instance, as stock writes it (host_files.json, metadata)."""
    instance = draft.instance
    remembered = instance.system_metadata
    root = remembered.get("image_base_image_ref", instance.image_ref)
    domain.metadata = InstanceMetadata(
        package_version=draft.request.package_version,
        name=str(instance.display_name or instance.uuid),
        created=draft.request.created_at or None,
        flavor=_flavor(instance.flavor),
        image=_image(instance.image_meta, root),
        user_name=remembered.get("owner_user_name", _NOBODY),
        user_id=instance.user_id,
        project_name=remembered.get("owner_project_name", _NOBODY),
        project_id=instance.project_id,
        ports=[meta_port(vif) for vif in draft.request.spec.network_info or ()],
    )
    if root is not None:
        domain.metadata.root_type = "image" if instance.image_ref else "volume"
        domain.metadata.root_uuid = root


def _flavor(flavor: Any) -> MetaFlavor:
    specs = flavor.extra_specs if "extra_specs" in flavor else {}
    return MetaFlavor(
        name=flavor.name,
        id=flavor.flavorid,
        memory_mib=flavor.memory_mb,
        disk_gib=flavor.root_gb,
        swap_mib=flavor.swap,
        ephemeral_gib=flavor.ephemeral_gb,
        vcpus=flavor.vcpus,
        has_extra_specs=True,
        extra_specs=[ExtraSpec(name=name, value=str(value)) for name, value in (specs or {}).items()],
    )


def _image(image_meta: Any, root: str | None) -> MetaImage:
    def said(name: str) -> Any:
        return getattr(image_meta, name) if image_meta.obj_attr_is_set(name) else None

    properties = image_meta.properties
    return MetaImage(
        uuid=root or "",
        container_format=said("container_format"),
        disk_format=said("disk_format"),
        min_disk_gib=said("min_disk"),
        min_ram_mib=said("min_ram"),
        has_properties=True,
        properties=[
            MetaProperty(name=name, value=str(getattr(properties, name)))
            for name in properties.fields
            if properties.obj_attr_is_set(name)
        ],
    )


def meta_port(vif: Any) -> MetaPort:
    """What other programs on the host can read of a port."""
    subnets: Iterable[Any] = (vif.get("network") or {}).get("subnets") or ()
    addresses = [
        MetaAddress(type=ip.get("type"), address=ip.get("address"), ip_version=ip.get("version"))
        for subnet in subnets
        for ip in subnet.get("ips") or ()
    ]
    return MetaPort(uuid=str(vif.get("id")), addresses=addresses)
