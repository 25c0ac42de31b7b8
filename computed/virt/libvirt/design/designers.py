"""The list of designers, in the order in which they work."""

from __future__ import annotations

from computed.virt.libvirt.design.request import GuestRequest
from computed.virt.libvirt.xml.boot import Os
from computed.virt.libvirt.xml.cpu import Features
from computed.virt.libvirt.xml.devices.character import Serial
from computed.virt.libvirt.xml.devices.disk import Disk, Source
from computed.virt.libvirt.xml.domain import Domain


def guest_domain(request: GuestRequest) -> Domain:
    """The whole guest as libvirt shall define it.

    Raises the error classes of the stock agent for an image property, an extra spec or an option that this
    host cannot honour; xml.XmlError for a value that cannot be said in XML.
    """
    instance = request.spec.instance
    domain = Domain(
        type=request.virt_type,
        uuid=instance.uuid,
        name=instance.name,
        memory_kib=instance.flavor.memory_mb * 1024,
        vcpus=instance.flavor.vcpus,
        os=Os(type="hvm"),
        features=Features(acpi=True, apic=True),
        interfaces=list(request.interfaces),
        serials=[Serial(type="pty", log_file=str(request.log_file), log_append=False)],
    )
    for plan in request.all_disks:
        if plan.path is None:
            continue
        domain.disks.append(
            Disk(
                type="file",
                device=plan.device,
                driver_name="qemu",
                driver_type=plan.format,
                cache=plan.cache,
                source=Source(file=str(plan.path)),
                target_dev=plan.target,
                target_bus=plan.bus,
                boot_order=plan.boot_order,
                readonly=plan.is_readonly or None,
                serial=plan.serial,
            )
        )
    return domain
