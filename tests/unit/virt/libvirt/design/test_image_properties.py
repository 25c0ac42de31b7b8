"""Every property of images: honoured here, refused here, or somebody else's."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("lxml")

from computed import errors, objects
from computed.virt.libvirt.design import guest_domain
from computed.virt.libvirt.design.request import GuestRequest
from tests.unit.virt.libvirt.design.orders import ARM, IMAGE_ID, OLD_X86, SEV, VOLUME_ID, order

Q35 = {"hw_machine_type": "q35"}
UEFI = {**Q35, "hw_firmware_type": "uefi"}

# property: (value, what else is needed, an XPath that is found with the property and not without it)
HONOURED: dict[str, tuple[str, dict[str, Any], str]] = {
    "hw_architecture": ("x86_64", {"host": ARM, "properties": {"hw_machine_type": "virt"}},
                        "os/type[@arch='x86_64']"),
    "hw_boot_menu": ("true", {}, "os/bootmenu[@enable='yes']"),
    "hw_cdrom_bus": ("scsi", {"of_instance": {"config_drive": "True"}},
                     "devices/disk[@device='cdrom']/target[@bus='scsi']"),
    "hw_cpu_cores": ("2", {}, "cpu/topology[@cores='2']"),
    "hw_cpu_max_cores": ("1", {"extra_specs": {"hw:cpu_cores": "2"}}, "cpu/topology[@sockets='2']"),
    "hw_cpu_max_sockets": ("1", {}, "cpu/topology[@cores='2']"),
    "hw_cpu_max_threads": ("1", {"extra_specs": {"hw:cpu_threads": "2"}}, "cpu/topology[@threads='1']"),
    "hw_cpu_sockets": ("1", {}, "cpu/topology[@sockets='1']"),
    "hw_cpu_threads": ("2", {}, "cpu/topology[@threads='2']"),
    "hw_disk_bus": ("ide", {}, "devices/disk/target[@bus='ide']"),
    "hw_emulation_architecture": ("aarch64", {"properties": {"hw_machine_type": "virt",
                                                             "hw_firmware_type": "uefi"}},
                                  "cpu/model[.='cortex-a57']"),
    "hw_firmware_stateless": ("true", {"properties": UEFI}, "os/loader[@stateless='yes']"),
    "hw_firmware_type": ("uefi", {"properties": Q35}, "self::domain[os/@firmware='efi']"),
    "hw_floppy_bus": ("usb", {"disks": "floppy"}, "devices/disk[@device='floppy']/target[@bus='usb']"),
    "hw_input_bus": ("virtio", {}, "devices/input[@type='keyboard' and @bus='virtio']"),
    "hw_locked_memory": ("true", {"extra_specs": {"hw:mem_page_size": "small"}}, "memoryBacking/locked"),
    "hw_machine_type": ("q35", {}, "os/type[@machine='q35']"),
    "hw_maxphysaddr_bits": ("42", {"properties": {"hw_maxphysaddr_mode": "emulate"}},
                            "cpu/maxphysaddr[@bits='42']"),
    "hw_maxphysaddr_mode": ("passthrough", {}, "cpu/maxphysaddr[@mode='passthrough']"),
    "hw_mem_encryption": ("true", {"host": SEV, "properties": UEFI}, "launchSecurity[@type='sev']"),
    "hw_mem_encryption_model": ("amd-sev-es", {"host": SEV, "properties": {**UEFI,
                                                                          "hw_mem_encryption": "true"}},
                                "launchSecurity/policy[.='0x0037']"),
    "hw_mem_page_size": ("small", {"extra_specs": {"hw:locked_memory": "true"}}, "memoryBacking/locked"),
    "hw_pmu": ("true", {}, "features/pmu[@state='on']"),
    "hw_pointer_model": ("usbtablet", {"options": {"pointer_model": "ps2mouse"}},
                         "devices/input[@type='tablet']"),
    "hw_qemu_guest_agent": ("yes", {}, "devices/channel/target[@name='org.qemu.guest_agent.0']"),
    "hw_redirected_usb_ports": ("1", {}, "devices/redirdev[@bus='usb']"),
    "hw_scsi_model": ("virtio-scsi", {}, "devices/controller[@type='scsi' and @model='virtio-scsi']"),
    "hw_serial_port_count": ("2", {"options": {"serial_console_enabled": True}, "serial_ports": (1, 2)},
                             "devices/serial[2]"),
    "hw_sound_model": ("ich6", {}, "devices/sound[@model='ich6']"),
    "hw_time_hpet": ("true", {}, "clock/timer[@name='hpet' and @present='yes']"),
    "hw_tpm_model": ("tpm-crb", {"properties": {"hw_tpm_version": "2.0"}, "tpm": True},
                     "devices/tpm[@model='tpm-crb']"),
    "hw_tpm_version": ("1.2", {"tpm": True}, "devices/tpm/backend[@version='1.2']"),
    "hw_usb_model": ("nec-xhci", {"options": {"pointer_model": None}},
                     "devices/controller[@type='usb' and @model='nec-xhci']"),
    "hw_video_model": ("qxl", {}, "devices/video/model[@type='qxl']"),
    "hw_video_ram": ("16", {"extra_specs": {"hw_video:ram_max_mb": "16"}},
                     "devices/video/model[@vram='16384']"),
    "hw_viommu_model": ("intel", {"properties": Q35}, "devices/iommu[@model='intel']"),
    "hw_watchdog_action": ("reset", {}, "devices/watchdog[@action='reset']"),
    "img_config_drive": ("mandatory", {}, "devices/disk/source[contains(@file, 'disk.config')]"),
    "img_hide_hypervisor_id": ("true", {}, "features/kvm/hidden[@state='on']"),
    "os_command_line": ("quiet", {"of_instance": {"kernel_id": IMAGE_ID}}, "os/cmdline[.='quiet']"),
    "os_secure_boot": ("required", {"properties": UEFI}, "os/loader[@secure='yes']"),
}  # fmt: skip

# property: (value, what else, class of the error). Each error names the property or the value.
REFUSED: list[tuple[str, str, dict[str, Any], type[Exception]]] = [
    ("hw_cpu_cores", "9", {"extra_specs": {"hw:cpu_max_cores": "4"}}, errors.ImageVCPUTopologyRangeExceeded),
    ("hw_cpu_max_cores", "9", {"extra_specs": {"hw:cpu_max_cores": "4"}},
     errors.ImageVCPULimitsRangeExceeded),
    ("hw_cpu_max_sockets", "1", {"properties": {"hw_cpu_max_cores": "1", "hw_cpu_max_threads": "1"}},
     errors.ImageVCPULimitsRangeImpossible),
    ("hw_cpu_realtime_mask", "0-9", {"extra_specs": {"hw:cpu_realtime": "true"}, "numa": True},
     errors.RealtimeMaskNotFoundOrInvalid),
    ("hw_cpu_realtime_mask", "x<", {"extra_specs": {"hw:cpu_realtime": "true"}, "numa": True},
     errors.RealtimeMaskNotFoundOrInvalid),
    ("hw_disk_bus", "xen", {}, errors.UnsupportedHardware),
    ("hw_ephemeral_encryption", "true", {}, errors.Invalid),
    ("hw_firmware_type", "uefi", {"host": OLD_X86, "no_uefi": True}, errors.UEFINotSupported),
    ("hw_locked_memory", "true", {}, errors.LockMemoryForbidden),
    ("hw_locked_memory", "true", {"extra_specs": {"hw:locked_memory": "no", "hw:mem_page_size": "4"}},
     errors.FlavorImageLockedMemoryConflict),
    ("hw_machine_type", "q36]]>", {}, errors.InvalidMachineType),
    ("hw_maxphysaddr_mode", "emulate", {"extra_specs": {"hw:maxphysaddr_mode": "passthrough"}},
     errors.FlavorImageConflict),
    ("hw_mem_encryption", "true", {"properties": UEFI}, errors.Invalid),
    ("hw_mem_encryption", "true", {"host": SEV, "properties": Q35}, errors.FlavorImageConflict),
    ("hw_mem_encryption", "true", {"host": SEV, "properties": {"hw_firmware_type": "uefi",
                                                                "hw_machine_type": "pc"}},
     errors.InvalidMachineType),
    ("hw_mem_encryption", "true", {"host": SEV, "properties": UEFI,
                                   "extra_specs": {"hw:mem_encryption": "false"}},
     errors.FlavorImageConflict),
    ("hw_mem_encryption_model", "intel-tdx",
     {"host": SEV, "properties": {**UEFI, "hw_mem_encryption": "yes"}}, errors.Invalid),
    ("hw_mem_encryption_model", "amd-sev-snp",
     {"host": SEV, "properties": {**UEFI, "hw_mem_encryption": "1"}}, errors.Invalid),
    ("hw_pmu", "true", {"extra_specs": {"hw:pmu": "false"}}, errors.FlavorImageConflict),
    ("hw_redirected_usb_ports", "16", {}, errors.Invalid),
    ("hw_redirected_usb_ports", "-1", {}, errors.Invalid),
    ("hw_serial_port_count", "3", {"extra_specs": {"hw:serial_port_count": "2"}},
     errors.ImageSerialPortNumberExceedFlavorValue),
    ("hw_serial_port_count", "5", {}, errors.SerialPortNumberLimitExceeded),
    ("hw_serial_port_count", "-1", {}, errors.ImageSerialPortNumberInvalid),
    ("hw_sound_model", "ac97", {"extra_specs": {"hw:sound_model": "ich6"}}, errors.FlavorImageConflict),
    ("hw_tpm_model", "tpm-crb", {"properties": {"hw_tpm_version": "1.2"}, "tpm": True}, errors.Invalid),
    ("hw_tpm_version", "2.0", {}, errors.Invalid),
    ("hw_tpm_version", "2.0", {"options": {"swtpm_enabled": True}}, errors.Invalid),
    ("hw_tpm_version", "2.0", {"extra_specs": {"hw:tpm_version": "1.2"}, "tpm": True},
     errors.FlavorImageConflict),
    ("hw_usb_model", "none", {"extra_specs": {"hw:usb_model": "nec-xhci"}}, errors.FlavorImageConflict),
    ("hw_video_model", "gop", {}, errors.InvalidVideoMode),
    ("hw_video_ram", "17", {"extra_specs": {"hw_video:ram_max_mb": "16"}}, errors.RequestedVRamTooHigh),
    ("hw_viommu_model", "intel", {}, errors.InvalidVIOMMUMachineType),
    ("hw_vm_mode", "xen", {}, errors.InvalidVirtualMachineMode),
    ("os_secure_boot", "required", {}, errors.SecureBootNotSupported),
    ("os_secure_boot", "required", {"properties": {"hw_firmware_type": "uefi"}},
     errors.SecureBootNotSupported),
    ("os_secure_boot", "required", {"properties": UEFI, "extra_specs": {"os:secure_boot": "disabled"}},
     errors.FlavorImageConflict),
]  # fmt: skip

# Their texts are those of wire classes: they say what of the image is refused, in words.
NAME_THE_THING = (
    errors.ImageVCPUTopologyRangeExceeded,
    errors.ImageVCPULimitsRangeExceeded,
    errors.ImageVCPULimitsRangeImpossible,
    errors.UnsupportedHardware,
    errors.InvalidMachineType,
)
# property: (a value, whose it is)
ELSEWHERE: dict[str, tuple[str, str]] = {
    "hw_auto_disk_config": ("true", "another hypervisor's"),
    "hw_cpu_policy": ("dedicated", "the API and the claim: they make instance.numa_topology of it"),
    "hw_cpu_thread_policy": ("isolate", "the API and the claim"),
    "hw_device_id": ("1", "another hypervisor's"),
    "hw_disk_type": ("preallocated", "another hypervisor's"),
    "hw_ephemeral_encryption_format": ("luks", "nothing without hw_ephemeral_encryption, which is refused"),
    "hw_ephemeral_encryption_secret_uuid": (VOLUME_ID, "the same"),
    "hw_ipxe_boot": ("true", "another hypervisor's"),
    "hw_numa_nodes": ("1", "the API and the claim"),
    "hw_pci_numa_affinity_policy": ("required", "the claim of PCI devices"),
    "hw_rescue_bus": ("usb", "storage.plan.rescue_plan"),
    "hw_rescue_device": ("disk", "storage.plan.rescue_plan"),
    "hw_rng_model": ("virtio", "the only model, which every guest has"),
    "hw_vif_model": ("e1000", "network.interface"),
    "hw_vif_multiqueue_enabled": ("true", "network.interface"),
    "hw_virtio_packed_ring": ("true", "network.interface"),
    "img_bdm_v2": ("true", "the API"),
    "img_bittorrent": ("true", "another hypervisor's"),
    "img_cache_in_nova": ("true", "another hypervisor's"),
    "img_compression_level": ("1", "another hypervisor's"),
    "img_hv_requested_version": (">=6.0", "the scheduler"),
    "img_hv_type": ("kvm", "the scheduler"),
    "img_linked_clone": ("true", "another hypervisor's"),
    "img_owner_id": ("x", "the API"),
    "img_root_device_name": ("/dev/vdq", "the API"),
    "img_signature": ("x", "the reader of images"),
    "img_signature_certificate_uuid": (VOLUME_ID, "the reader of images"),
    "img_signature_hash_method": ("SHA-256", "the reader of images"),
    "img_signature_key_type": ("RSA-PSS", "the reader of images"),
    "img_use_agent": ("true", "another hypervisor's"),
    "img_version": ("1", "another hypervisor's"),
    "os_admin_user": ("root", "signals.set_admin_password"),
    "os_distro": ("debian", "nothing: libosinfo is not asked"),
    "os_require_quiesce": ("true", "snapshots"),
    "os_skip_agent_inject_files_at_boot": ("true", "another hypervisor's"),
    "os_skip_agent_inject_ssh": ("true", "another hypervisor's"),
    "os_type": ("linux", "the API: it makes instance.os_type of it"),
}
# Not spelled as one property of text, so not in the rows above: who honours them.
COMPOUND = {
    "hw_numa_cpus": "the API and the claim",
    "hw_numa_mem": "the API and the claim",
    "hw_cpu_realtime_mask": "test_a_realtime_mask_of_the_image",
    "hw_vm_mode": "hvm, or exe for a container; the others are refused",
    "img_block_device_mapping": "the API",
    "img_mappings": "the API",
    "traits_required": "the scheduler",
}


def asked(more: dict[str, Any], properties: dict[str, str]) -> GuestRequest:
    from computed.virt.libvirt.design.request import DomainFacts, HostFacts
    from computed.virt.specs import DiskSpec
    from tests.unit.virt.libvirt.design.matrix import PINNED, numa
    from tests.unit.virt.libvirt.design.orders import ROOT

    more = dict(more)
    wanted = {**more.pop("properties", {}), **properties}
    if more.pop("tpm", False):
        more["options"] = {"swtpm_enabled": True}
        more["of_instance"] = {"system_metadata": {"vtpm_secret_uuid": VOLUME_ID}}
    if more.pop("numa", False):
        more["of_instance"] = {"numa_topology": numa(PINNED)}
    if more.pop("no_uefi", False):
        bios = DomainFacts(firmwares=frozenset(), supports_secure_loader=False)
        more["host"] = HostFacts(domains={("x86_64", "pc"): bios})
    if more.get("disks") == "floppy":
        more["disks"] = (ROOT, DiskSpec("volume", None, 1, volume_id=VOLUME_ID, device_type="floppy"))
        from tests.unit.virt.libvirt.design.matrix import VOLUME

        more["volumes"] = ((VOLUME_ID, VOLUME),)
    return order(properties=wanted, **more)


def xml_of(request: GuestRequest) -> Any:
    domain = guest_domain(request)
    domain.metadata = None
    return domain.build()


@pytest.mark.parametrize("name", HONOURED)
def test_it_is_honoured(name: str) -> None:
    value, more, path = HONOURED[name]
    assert xml_of(asked(more, {name: value})).xpath(path)
    try:
        without = xml_of(asked(more, {}))
    except errors.Invalid:  # the property makes possible what is refused without it
        return
    assert not without.xpath(path)


@pytest.mark.parametrize(
    ("name", "value", "more", "error"), REFUSED, ids=lambda v: v if isinstance(v, str) else ""
)
def test_it_is_refused(name: str, value: str, more: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error) as refusal:
        guest_domain(asked(more, {name: value}))
    text = str(refusal.value).lower()
    assert value.lower() in text
    assert name in text or name.replace("_", ":", 1) in text or error in NAME_THE_THING


@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_is_not_ours(name: str) -> None:
    value, whose = ELSEWHERE[name]
    assert whose
    request = asked({}, {name: value})
    assert request.spec.image_meta.properties.get(name) is not None
    plain, with_it = xml_of(asked({}, {})), xml_of(request)
    from lxml import etree

    assert etree.tostring(plain) == etree.tostring(with_it)


def test_every_property_has_a_row() -> None:
    refused = {name for name, *_ in REFUSED}
    rows = set(HONOURED) | refused | set(ELSEWHERE) | set(COMPOUND)
    assert rows == set(objects.ImageMetaProps.fields)
    assert not set(ELSEWHERE) & (set(HONOURED) | refused)


def test_a_realtime_mask_of_the_image() -> None:
    request = asked({"extra_specs": {"hw:cpu_realtime": "1"}, "numa": True}, {"hw_cpu_realtime_mask": "^0"})
    assert xml_of(request).xpath("cputune/vcpusched[@vcpus='1' and @scheduler='fifo']")


@pytest.mark.parametrize("mode", ["hvm", "hv", "HVM"])
def test_machines_are_whole(mode: str) -> None:
    assert xml_of(order(of_instance={"vm_mode": mode})).xpath("os/type[.='hvm']")
