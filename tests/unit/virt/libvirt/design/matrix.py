"""Guests of many kinds by name: what each is ordered from. Their XML is in tests/golden/design."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from computed import objects
from computed.virt.libvirt.design.request import DirectBoot
from computed.virt.libvirt.storage.plan import DiskPlan
from computed.virt.libvirt.xml.address import Address
from computed.virt.libvirt.xml.boot import Os
from computed.virt.libvirt.xml.cpu import Features
from computed.virt.libvirt.xml.devices.board import HostDevice, MemoryModule
from computed.virt.libvirt.xml.devices.character import Serial
from computed.virt.libvirt.xml.devices.disk import Disk, Filesystem, Source
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.specs import DiskSpec
from tests.unit.virt.libvirt.design import orders
from tests.unit.virt.libvirt.design.orders import ARM, IMAGE_ID, INSTANCES, ROOT, SEV, UUID, VOLUME_ID

Q35 = {"hw_machine_type": "q35"}
UEFI = {**Q35, "hw_firmware_type": "uefi"}
OLD_OS = Os(
    loader="/usr/share/OVMF/OVMF_CODE_4M.ms.fd",
    loader_type="pflash",
    loader_readonly=True,
    loader_secure=True,
    nvram=f"/var/lib/libvirt/qemu/nvram/{UUID}_VARS.fd",
    nvram_template="/usr/share/OVMF/OVMF_VARS_4M.ms.fd",
)
OLD_UEFI = Domain(os=OLD_OS, features=Features(smm=True))
OLD_SERIAL = Domain(
    serials=[Serial(type="tcp", source_service="10007"), Serial(type="tcp", source_service="10008")]
)
VOLUME = Disk(
    type="block",
    driver_name="qemu",
    driver_type="raw",
    cache="none",
    io="native",
    source=Source(dev="/dev/disk/by-id/x"),
)
RESCUE = (
    DiskPlan("root", INSTANCES / UUID / "disk", "qcow2", "virtio", "vda", boot_order=2),
    DiskPlan("rescue", INSTANCES / UUID / "disk.rescue", "qcow2", "usb", "sda", boot_order=1),
)


def numa(*cells: dict[str, Any], policy: str | None = None) -> objects.InstanceNUMATopology:
    """A NUMA topology as a claim leaves it."""
    return objects.InstanceNUMATopology(
        cells=[
            objects.InstanceNUMACell(
                **{"cpuset": set(), "pcpuset": set(), "memory": 1024, "cpu_pinning_raw": None, **cell}
            )
            for cell in cells
        ],
        emulator_threads_policy=policy,
    )


PINNED = {
    "id": 1,
    "memory": 2048,
    "pcpuset": {0, 1},
    "cpu_pinning_raw": {"0": 5, "1": 7},
    "cpu_policy": "dedicated",
}

MATRIX: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "plain-qemu": {"options": {"virt_type": "qemu", "translation_cache_mib": 32}},
    "q35": {"properties": Q35, "storage": {"cdrom_bus": "sata"}, "of_instance": {"config_drive": "True"}},
    "q35-uefi": {"properties": UEFI},
    "q35-uefi-secure": {"properties": {**UEFI, "os_secure_boot": "required"}},
    "q35-uefi-stateless": {"properties": {**UEFI, "hw_firmware_stateless": "true"}},
    "q35-uefi-again": {"properties": {**UEFI, "os_secure_boot": "optional"}, "old": OLD_UEFI},
    "q35-uefi-kept": {
        "properties": UEFI,
        "old": replace(OLD_UEFI, os=replace(OLD_OS, loader_secure=None)),
    },
    "q35-pcie-ports": {"properties": Q35, "options": {"pcie_ports": 3}},
    "machine-option": {"options": {"machine_types": (("x86_64", "pc-q35-7.2"),), "pcie_ports": 1}},
    "aarch64": {"host": ARM, "storage": {"cdrom_bus": "scsi"}, "of_instance": {"config_drive": "True"}},
    "aarch64-qemu": {"host": ARM, "options": {"virt_type": "qemu", "pcie_ports": 2}},
    "aarch64-emulated": {
        "properties": {
            "hw_emulation_architecture": "aarch64",
            "hw_machine_type": "virt",
            "hw_firmware_type": "uefi",
        }
    },
    "windows": {
        "of_instance": {"os_type": "windows"},
        "properties": {"os_type": "windows", "img_hide_hypervisor_id": "true", "hw_time_hpet": "true"},
    },
    "cpu-custom": {
        "options": {
            "cpu_mode": "custom",
            "cpu_models": ("nehalem", "haswell"),
            "cpu_flags": ("+PCID", "-vmx", "ssbd"),
        },
        "extra_specs": {"trait:HW_CPU_X86_AVX2": "required", "trait1:HW_CPU_X86_SSE42": "required"},
    },
    "cpu-passthrough": {
        "options": {"cpu_mode": "host-passthrough"},
        "extra_specs": {"hw:cpu_threads": "2", "hw:maxphysaddr_mode": "emulate", "hw:maxphysaddr_bits": "42"},
        "of_flavor": {"vcpus": 8},
    },
    "cpu-none": {"options": {"cpu_mode": "none"}, "properties": {"hw_cpu_max_sockets": "1"}},
    "cpu-quota": {
        "extra_specs": {"quota:cpu_shares": "512", "quota:cpu_quota": "-1", "quota:cpu_period": "20000"},
        "options": {"shared_cpus": frozenset({0, 1, 2, 5})},
    },
    "numa-floating": {
        "of_instance": {"numa_topology": numa({"id": 0, "cpuset": {0}}, {"id": 1, "cpuset": {1}})}
    },
    "numa-pinned": {
        "of_instance": {"numa_topology": numa({**PINNED, "pagesize": 2048})},
        "extra_specs": {"hw:mem_page_size": "2048", "hw:locked_memory": "true"},
    },
    "numa-isolated": {
        "of_instance": {"numa_topology": numa({**PINNED, "cpuset_reserved": {6}}, policy="isolate")}
    },
    "numa-realtime": {
        "of_instance": {"numa_topology": numa(PINNED)},
        "extra_specs": {"hw:cpu_realtime": "yes", "hw:cpu_realtime_mask": "^0"},
    },
    "numa-realtime-shared": {
        "of_instance": {"numa_topology": numa(PINNED, policy="share")},
        "extra_specs": {"hw:cpu_realtime": "yes", "hw:emulator_threads_policy": "share"},
        "options": {"shared_cpus": frozenset({0, 1})},
    },
    "file-backed": {"options": {"file_backed_memory_mib": 4096}},
    "sev": {"host": SEV, "properties": {**UEFI, "hw_mem_encryption": "true"}},
    "sev-es": {
        "host": SEV,
        "properties": {**UEFI, "hw_mem_encryption_model": "amd-sev-es"},
        "extra_specs": {"hw:mem_encryption": "true"},
    },
    "sysinfo-os": {"options": {"sysinfo_serial": "os"}},
    "sysinfo-hardware": {"options": {"sysinfo_serial": "hardware"}},
    "sysinfo-none": {"options": {"sysinfo_serial": "none"}},
    "all-disks": {
        "disks": (
            ROOT,
            DiskSpec("blank", None, 1, guest_format="ext4"),
            DiskSpec("swap", None, None, swap_mib=64),
            DiskSpec("volume", "/dev/vdx", 5, volume_id=VOLUME_ID),
        ),
        "of_instance": {"config_drive": "True"},
        "volumes": ((VOLUME_ID, VOLUME),),
        "options": {"disk_discard": "unmap", "preallocates_images": True},
        "extra_specs": {
            f"quota:disk_{way}_{what}_sec": str(number)
            for number, (way, what) in enumerate(
                ((way, what) for way in ("read", "write") for what in ("bytes", "iops")), 1000
            )
        },
    },
    "disk-total-limits": {
        "extra_specs": {"quota:disk_total_bytes_sec": "1000000", "quota:disk_total_iops_sec": "100"}
    },
    "scsi": {
        "properties": {"hw_scsi_model": "virtio-scsi", "hw_disk_bus": "scsi"},
        "disks": (DiskSpec("blank", None, 1), ROOT),
    },
    "scsi-lsilogic": {"properties": {"hw_scsi_model": "lsilogic", "hw_disk_bus": "scsi"}},
    "boot-from-volume": {
        "disks": (DiskSpec("volume", "/dev/sda", 5, boot_index=0, volume_id=VOLUME_ID, disk_bus="scsi"),),
        "volumes": ((VOLUME_ID, VOLUME),),
        "properties": {"hw_scsi_model": "virtio-scsi", "hw_disk_bus": "scsi"},
        "of_instance": {"image_ref": ""},
    },
    "lun": {
        "disks": (ROOT, DiskSpec("volume", None, 5, volume_id=VOLUME_ID, disk_bus="scsi", device_type="lun")),
        "volumes": ((VOLUME_ID, VOLUME),),
    },
    "usb-disk": {"properties": {"hw_disk_bus": "usb"}},
    "rescue": {"disks_as": RESCUE},
    "kernel": {
        "of_instance": {"kernel_id": IMAGE_ID, "ramdisk_id": IMAGE_ID},
        "properties": {"os_command_line": "root=LABEL=<x> & quiet"},
    },
    "kernel-qemu": {"of_instance": {"kernel_id": IMAGE_ID}, "options": {"virt_type": "qemu"}},
    "rescue-kernel": {
        "disks_as": RESCUE,
        "direct_boot": DirectBoot(INSTANCES / UUID / "kernel.rescue", INSTANCES / UUID / "ramdisk.rescue"),
    },
    "boot-menu": {"extra_specs": {"hw:boot_menu": "true"}},
    "serial-console": {
        "options": {"serial_console_enabled": True, "serial_console_listen": "192.0.2.1"},
        "extra_specs": {"hw:serial_port_count": "3"},
        "properties": {"hw_serial_port_count": "2"},
        "serial_ports": (10000, 10001),
    },
    "serial-console-again": {
        "options": {"serial_console_enabled": True},
        "extra_specs": {"hw:serial_port_count": "2"},
        "old": OLD_SERIAL,
    },
    "spice": {
        "options": {
            "vnc_enabled": False,
            "spice": {
                "is_enabled": True,
                "image_compression": "auto_glz",
                "jpeg_compression": "auto",
                "zlib_compression": "never",
                "playback_compression": True,
                "streaming_mode": "filter",
            },
        },
        "properties": {"hw_video_model": "qxl"},
    },
    "spice-secure": {
        "options": {"spice": {"is_enabled": True, "has_agent": False, "require_secure": True}},
        "extra_specs": {"hw:redirected_usb_ports": "2"},
    },
    "no-screen": {"options": {"vnc_enabled": False}},
    "no-tablet": {"options": {"pointer_model": "ps2mouse"}},
    "no-tablet-usb-model": {
        "options": {"pointer_model": None},
        "properties": {"hw_usb_model": "qemu-xhci"},
    },
    "virtio-input": {"properties": {"hw_input_bus": "virtio"}},
    "devices": {
        "properties": {
            **Q35,
            "hw_qemu_guest_agent": "yes",
            "hw_watchdog_action": "poweroff",
            "hw_sound_model": "ich9",
            "hw_video_model": "vga",
            "hw_video_ram": "64",
            "hw_tpm_version": "2.0",
            "hw_tpm_model": "tpm-crb",
            "hw_viommu_model": "intel",
            "hw_pmu": "false",
        },
        "extra_specs": {
            "hw_video:ram_max_mb": "64",
            "hw_rng:rate_bytes": "1024",
            "hw_rng:rate_period": "1000",
        },
        "options": {"swtpm_enabled": True, "balloon_period_seconds": 0, "perf_events": ("cmt", "cpu_clock")},
        "of_instance": {"system_metadata": {"vtpm_secret_uuid": VOLUME_ID}},
    },
    "no-rng-no-apic": {"extra_specs": {"hw_rng:allowed": "false"}, "options": {"apic_disabled": True}},
    "viommu-auto": {"properties": {**Q35, "hw_viommu_model": "auto"}},
    "given": {
        "host_devices": (
            HostDevice(
                mode="subsystem",
                type="pci",
                managed=True,
                source=Address(domain="0x0000", bus="0x3b", slot="0x00", function="0x1"),
            ),
        ),
        "filesystems": (
            Filesystem(
                type="mount",
                access_mode="passthrough",
                driver_type="virtiofs",
                source_dir="/var/lib/nova/mnt/x",
                target_dir="share",
            ),
        ),
        "memory_modules": (
            MemoryModule(
                model="nvdimm",
                access="shared",
                source_path="/dev/dax0.0",
                source_is_pmem=True,
                source_align_kib=2048,
                target_size_kib=1048576,
                target_node=0,
                target_label_kib=2048,
            ),
        ),
        "options": {"file_backed_memory_mib": 1},
        "of_instance": {"numa_topology": numa({"id": 0, "cpuset": {0, 1}, "memory": 2048})},
    },
    "lxc": {"options": {"virt_type": "lxc"}, "storage": {"local_format": "raw"}},
    "lxc-id-maps": {
        "options": {"virt_type": "lxc", "uid_maps": ("0:1000:10", "x"), "gid_maps": ("0:2000:10",)},
        "extra_specs": {"quota:cpu_shares": "100"},
    },
}


def request_of(name: str) -> Any:
    """The GuestRequest of a guest of the matrix; CPU options and SPICE options are spelled flat there."""
    wanted = dict(MATRIX[name])
    options = dict(wanted.pop("options", {}))
    cpu = {
        field: options.pop(flat)
        for flat, field in (("cpu_mode", "mode"), ("cpu_models", "models"), ("cpu_flags", "extra_flags"))
        if flat in options
    }
    if cpu:
        options["cpu"] = orders.CpuOptions(**cpu)
    if "spice" in options:
        options["spice"] = orders.SpiceOptions(**options["spice"])
    if "disks_as" in wanted:
        disks = wanted.pop("disks_as")
        request = orders.order(options=options, **wanted)
        return orders.with_disks(request, disks)
    return orders.order(options=options, **wanted)


def golden(name: str) -> Path:
    """Where its XML is."""
    return Path(__file__).parents[4] / "golden" / "design" / f"{name}.xml"
