"""Requests for guests, to be varied: an instance as the stock API makes one, a host of each kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from computed import objects
from computed.virt.libvirt.design.request import (
    CpuFacts,
    CpuModel,
    CpuOptions,
    DesignOptions,
    DomainFacts,
    GuestRequest,
    HostCell,
    HostFacts,
    HostPages,
    SevFacts,
    SpiceOptions,
)
from computed.virt.libvirt.storage.paths import InstancePaths
from computed.virt.libvirt.storage.plan import DiskPlan, StorageOptions, plan
from computed.virt.libvirt.xml.devices.interface import Interface
from computed.virt.specs import DiskSpec, GuestSpec

__all__ = ["ARM", "OLD_X86", "SEV", "X86", "CpuOptions", "SpiceOptions", "order", "with_disks"]

UUID = "11111111-2222-4333-8444-555555555555"
IMAGE_ID = "00000031-0000-4000-8000-000000000031"
VOLUME_ID = "00000044-0000-4000-8000-000000000044"
PORT_ID = "00000072-0000-4000-8000-000000000072"
INSTANCES = Path("/var/lib/nova/instances")
ROOT = DiskSpec("image", None, 10, boot_index=0, image_id=IMAGE_ID)
INTERFACE = Interface(
    type="bridge",
    mac="fa:16:3e:00:00:01",
    model="virtio",
    source_bridge="br-int",
    target_dev=f"tap{PORT_ID}"[:14],
    mtu=1450,
)
NETWORK_INFO = [
    {
        "id": PORT_ID,
        "network": {"subnets": [{"ips": [{"type": "fixed", "address": "192.0.2.10", "version": 4}]}]},
    }
]
_UEFI = DomainFacts(
    firmwares=frozenset({"bios", "efi"}),
    supports_secure_loader=True,
    cpu_modes=frozenset({"host-passthrough", "host-model", "custom", "maximum"}),
    maxphysaddr_modes=frozenset({"passthrough", "emulate"}),
    video_models=frozenset({"vga", "cirrus", "vmvga", "qxl", "virtio", "none", "bochs"}),
    tpm_versions=frozenset({"1.2", "2.0"}),
    tpm_backends=frozenset({"emulator"}),
)
CELLS = (
    HostCell(0, frozenset({0, 1, 2, 3}), 8 << 20, (HostPages(4, 1 << 20), HostPages(2048, 1024))),
    HostCell(1, frozenset({4, 5, 6, 7}), 8 << 20, (HostPages(4, 1 << 20), HostPages(2048, 1024))),
)
X86 = HostFacts(
    arch="x86_64",
    host_uuid="99999999-2222-4333-8444-555555555555",
    machine_id="0123456789abcdef0123456789abcdef\n",
    cpu=CpuFacts(arch="x86_64", model="Skylake-Client-IBRS", vendor="Intel"),
    cpu_models={
        "x86_64": (
            CpuModel("qemu64", frozenset({"sse2"})),
            CpuModel("Nehalem", frozenset({"sse2", "sse4.2"})),
            CpuModel("Haswell", frozenset({"sse2", "sse4.2", "avx", "avx2"})),
        )
    },
    machine_types={
        "x86_64": frozenset({"pc", "q35", "pc-q35-7.2", "pc-i440fx-7.2"}),
        "aarch64": frozenset({"virt"}),
    },
    domains={("x86_64", "q35"): _UEFI, ("x86_64", "pc"): _UEFI, ("aarch64", "virt"): _UEFI},
    cells=CELLS,
    online_cpus=frozenset(range(8)),
)
SEV = HostFacts(
    machine_types=X86.machine_types,
    domains={
        ("x86_64", "q35"): DomainFacts(firmwares=frozenset({"efi"}), sev=SevFacts(47, 1, supports_es=True))
    },
)
ARM = HostFacts(
    arch="aarch64",
    cpu=CpuFacts(arch="aarch64"),
    machine_types={"aarch64": frozenset({"virt", "virt-7.2"})},
    domains={("aarch64", "virt"): _UEFI},
)
OLD_X86 = HostFacts(machine_types={"x86_64": frozenset({"pc"})}, domains={("x86_64", "pc"): DomainFacts()})


def flavor(**more: Any) -> objects.Flavor:
    """A flavor; `extra_specs` as a dict."""
    values = {
        "id": 7,
        "name": "m1.small",
        "flavorid": "42",
        "memory_mb": 2048,
        "vcpus": 2,
        "root_gb": 10,
        "ephemeral_gb": 0,
        "swap": 0,
        "extra_specs": {},
    }
    return objects.Flavor(**{**values, **more})


def instance(**more: Any) -> objects.Instance:
    """An instance as it is when the driver gets it."""
    values = {
        "id": 42,
        "uuid": UUID,
        "display_name": "vm-1",
        "user_id": "1" * 32,
        "project_id": "2" * 32,
        "image_ref": IMAGE_ID,
        "kernel_id": "",
        "ramdisk_id": "",
        "os_type": None,
        "vm_mode": None,
        "config_drive": "",
        "numa_topology": None,
        "system_metadata": {"owner_user_name": "alice", "owner_project_name": "demo"},
        "flavor": flavor(),
    }
    return objects.Instance(**{**values, **more})


def image(properties: dict[str, Any] | None = None, **more: Any) -> objects.ImageMeta:
    """The image of an instance."""
    values = {"id": IMAGE_ID, "name": "cirros", "disk_format": "qcow2", "container_format": "bare"}
    return objects.ImageMeta.from_dict({**values, **more, "properties": properties or {}})


def order(
    *,
    properties: dict[str, Any] | None = None,
    extra_specs: dict[str, str] | None = None,
    host: HostFacts = X86,
    disks: tuple[DiskSpec, ...] = (ROOT,),
    options: dict[str, Any] | None = None,
    of_instance: dict[str, Any] | None = None,
    of_flavor: dict[str, Any] | None = None,
    storage: dict[str, Any] | None = None,
    **more: Any,
) -> GuestRequest:
    """A request: what is not given is a plain guest of kvm on a PC."""
    design_options = DesignOptions(**(options or {}))
    guest = instance(flavor=flavor(extra_specs=extra_specs or {}, **(of_flavor or {})), **(of_instance or {}))
    guest.system_metadata = {
        "owner_user_name": "alice",
        "owner_project_name": "demo",
        **guest.system_metadata,
        **{f"image_{name}": str(value) for name, value in (properties or {}).items()},
        "image_container_format": "bare",
        "image_disk_format": "qcow2",
        "image_min_disk": "10",
        "image_min_ram": "0",
    }
    spec = GuestSpec(instance=guest, image_meta=image(properties), network_info=NETWORK_INFO, disks=disks)
    paths = InstancePaths(INSTANCES, UUID)
    storage_options = StorageOptions(virt_type=design_options.virt_type, **(storage or {}))
    values: dict[str, Any] = {
        "disks": plan(spec, storage_options, paths),
        "interfaces": (INTERFACE,),
        "created_at": "2026-11-21 12:00:00",
        **more,
    }
    return GuestRequest(spec=spec, host=host, options=design_options, paths=paths, **values)


def with_disks(request: GuestRequest, disks: tuple[DiskPlan, ...]) -> GuestRequest:
    """The same request with other disks."""
    return replace(request, disks=disks)
