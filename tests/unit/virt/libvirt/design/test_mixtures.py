"""Everything at once, in mixtures drawn with a fixed seed: refused with an error of ours, or good XML."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lxml")

from lxml import etree

from computed import errors
from computed.virt.libvirt.design import guest_domain
from computed.virt.libvirt.design.request import CpuOptions, SpiceOptions
from tests.unit.virt.libvirt.design.matrix import PINNED, numa
from tests.unit.virt.libvirt.design.orders import ARM, OLD_X86, SEV, VOLUME_ID, X86, order

SCHEMA = Path("/usr/share/libvirt/schemas/domain.rng")
PROPERTIES: dict[str, list[str]] = {
    "hw_machine_type": ["q35", "pc", "pc-q35-7.2", "virt"],
    "hw_firmware_type": ["uefi", "bios"],
    "hw_firmware_stateless": ["true", "false"],
    "os_secure_boot": ["required", "optional", "disabled"],
    "hw_mem_encryption": ["true", "false"],
    "hw_mem_encryption_model": ["amd-sev", "amd-sev-es", "intel-tdx"],
    "hw_disk_bus": ["virtio", "scsi", "ide", "sata", "usb"],
    "hw_scsi_model": ["virtio-scsi", "lsilogic"],
    "hw_cdrom_bus": ["sata", "ide", "scsi"],
    "hw_video_model": ["vga", "virtio", "none", "cirrus"],
    "hw_video_ram": ["8", "128"],
    "hw_input_bus": ["usb", "virtio"],
    "hw_pointer_model": ["usbtablet"],
    "hw_watchdog_action": ["reset", "none", "disabled"],
    "hw_viommu_model": ["intel", "auto", "virtio", "smmuv3"],
    "hw_tpm_version": ["1.2", "2.0"],
    "hw_tpm_model": ["tpm-tis", "tpm-crb"],
    "hw_sound_model": ["ich6", "usb"],
    "hw_usb_model": ["none", "qemu-xhci"],
    "hw_redirected_usb_ports": ["0", "3", "15"],
    "hw_serial_port_count": ["1", "3", "9"],
    "hw_qemu_guest_agent": ["yes", "no"],
    "hw_time_hpet": ["true", "false"],
    "hw_pmu": ["true", "false"],
    "hw_boot_menu": ["true", "false"],
    "hw_cpu_threads": ["1", "2", "3"],
    "hw_cpu_max_sockets": ["1", "4"],
    "hw_maxphysaddr_mode": ["emulate", "passthrough"],
    "hw_maxphysaddr_bits": ["42"],
    "img_hide_hypervisor_id": ["true", "false"],
    "hw_locked_memory": ["true", "false"],
    "hw_mem_page_size": ["large"],
    "hw_cpu_realtime_mask": ["^0", "0-1"],
    "img_config_drive": ["mandatory", "optional"],
    "os_type": ["linux", "windows"],
    "os_command_line": ["quiet", "a=<b>&c"],
}
EXTRA_SPECS: dict[str, list[str]] = {
    "hw:cpu_realtime": ["true", "no"],
    "hw:cpu_realtime_mask": ["1", "^1"],
    "hw:emulator_threads_policy": ["share", "isolate"],
    "hw:mem_page_size": ["2048"],
    "hw:locked_memory": ["true", "false"],
    "hw:cpu_sockets": ["1", "2"],
    "hw:cpu_max_threads": ["1"],
    "hw:pmu": ["true"],
    "hw:boot_menu": ["yes"],
    "hw:serial_port_count": ["2", "4"],
    "hw:tpm_version": ["2.0"],
    "hw:watchdog_action": ["pause"],
    "hw:viommu_model": ["auto", "intel"],
    "hw:usb_model": ["nec-xhci"],
    "hw_rng:allowed": ["false", "true"],
    "hw_rng:rate_bytes": ["1024"],
    "hw_rng:rate_period": ["500"],
    "hw_video:ram_max_mb": ["64"],
    "quota:cpu_shares": ["1024"],
    "quota:cpu_quota": ["20000"],
    "quota:disk_read_bytes_sec": ["1048576"],
    "quota:disk_total_iops_sec": ["10"],
    "os:secure_boot": ["optional", "required"],
    "hide_hypervisor_id": ["true"],
}
OPTIONS: dict[str, list[Any]] = {
    "virt_type": ["kvm", "qemu", "kvm", "qemu", "lxc"],
    "cpu": [
        CpuOptions("custom", ("Haswell",), ("-vmx",)),
        CpuOptions("none"),
        CpuOptions("host-passthrough"),
    ],
    "pcie_ports": [0, 4],
    "balloon_period_seconds": [0, 10],
    "disk_discard": ["unmap", "ignore"],
    "preallocates_images": [True, False],
    "file_backed_memory_mib": [0, 1024],
    "vnc_enabled": [True, False],
    "spice": [
        SpiceOptions(is_enabled=True, require_secure=True),
        SpiceOptions(is_enabled=True, has_agent=False),
    ],
    "serial_console_enabled": [True, False],
    "swtpm_enabled": [True],
    "sysinfo_serial": ["os", "auto", "none", "hardware", "unique"],
    "shared_cpus": [frozenset({0, 1})],
    "translation_cache_mib": [32],
    "apic_disabled": [True],
    "perf_events": [("cpu_clock",)],
}
NUMA = [
    numa(PINNED),
    numa({"id": 0, "cpuset": {0}}, {"id": 1, "cpuset": {1}}),
    numa({**PINNED, "pagesize": 2048}, policy="share"),
]


def drawn(dice: random.Random, choices: dict[str, list[Any]], share: float) -> dict[str, Any]:
    return {name: dice.choice(values) for name, values in choices.items() if dice.random() < share}


def mixture(seed: int) -> Any:
    dice = random.Random(seed)
    share = dice.choice([0.05, 0.2, 0.5])
    instance: dict[str, Any] = {
        "os_type": dice.choice([None, "linux", "windows"]),
        "kernel_id": dice.choice(["", "", VOLUME_ID]),
        "numa_topology": dice.choice([None, None, *NUMA]),
        "system_metadata": {"vtpm_secret_uuid": VOLUME_ID},
    }
    return order(
        properties=drawn(dice, PROPERTIES, share),
        extra_specs=drawn(dice, EXTRA_SPECS, share),
        options=drawn(dice, OPTIONS, share),
        host=dice.choice([X86, X86, SEV, ARM, OLD_X86]),
        of_instance=instance,
        serial_ports=(10000, 10001, 10002, 10003),
    )


@pytest.mark.skipif(not SCHEMA.exists(), reason="libvirt's schemas are not installed")
def test_mixtures_are_good_or_refused() -> None:
    schema = etree.RelaxNG(etree.parse(str(SCHEMA)))
    good = refused = 0
    for seed in range(600):
        try:
            document = guest_domain(mixture(seed)).build()
        except errors.NovaException as refusal:
            assert str(refusal), seed
            refused += 1
            continue
        for forgotten in document.xpath("/domain[@type='lxc']/os/cmdline"):
            forgotten.getparent().remove(forgotten)
        assert schema.validate(document), (seed, schema.error_log)
        good += 1
    assert good > 100
    assert refused > 100
