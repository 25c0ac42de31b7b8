"""Every extra spec that a compute reads: honoured here, refused here, or somebody else's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lxml")

from lxml import etree

from computed import errors
from computed.virt.libvirt.design import guest_domain
from computed.virt.libvirt.design.request import GuestRequest, HostFacts
from tests.unit.virt.libvirt.design.matrix import PINNED, numa
from tests.unit.virt.libvirt.design.orders import SEV, VOLUME_ID, order

FACTS = Path(__file__).parents[4] / "contract" / "facts" / "flavor_extra_specs.json"
Q35 = {"hw_machine_type": "q35"}
UEFI = {**Q35, "hw_firmware_type": "uefi"}
NUMA = {"of_instance": {"numa_topology": numa(PINNED)}}
TPM = {
    "options": {"swtpm_enabled": True},
    "of_instance": {"system_metadata": {"vtpm_secret_uuid": VOLUME_ID}},
}

# extra spec: (value, what else is needed, an XPath that is found with it and not without it)
HONOURED: dict[str, tuple[str, dict[str, Any], str]] = {
    "hw:boot_menu": ("yes", {}, "os/bootmenu"),
    "hw:cpu_cores": ("2", {}, "cpu/topology[@cores='2']"),
    "hw:cpu_max_cores": ("1", {"properties": {"hw_cpu_max_sockets": "1"}}, "cpu/topology[@threads='2']"),
    "hw:cpu_max_sockets": ("1", {}, "cpu/topology[@cores='2']"),
    "hw:cpu_max_threads": ("1", {"extra_specs": {"hw:cpu_threads": "2"}}, "cpu/topology[@threads='1']"),
    "hw:cpu_realtime": ("true", {**NUMA, "extra_specs": {"hw:cpu_realtime_mask": "^0"}}, "cputune/vcpusched"),
    "hw:cpu_realtime_mask": ("1", {**NUMA, "extra_specs": {"hw:cpu_realtime": "true"}},
                             "cputune/vcpusched[@vcpus='1']"),
    "hw:cpu_sockets": ("1", {}, "cpu/topology[@sockets='1']"),
    "hw:cpu_threads": ("2", {}, "cpu/topology[@threads='2']"),
    "hw:emulator_threads_policy": ("isolate", {**NUMA, "extra_specs": {"hw:cpu_realtime": "true"}},
                                   "cputune/vcpusched[@vcpus='0-1']"),
    "hw:hide_hypervisor_id": ("1", {}, "features/kvm/hidden[@state='on']"),
    "hw:locked_memory": ("true", {"extra_specs": {"hw:mem_page_size": "large"}}, "memoryBacking/locked"),
    "hw:maxphysaddr_bits": ("40", {"extra_specs": {"hw:maxphysaddr_mode": "emulate"}},
                            "cpu/maxphysaddr[@bits='40']"),
    "hw:maxphysaddr_mode": ("emulate", {}, "cpu/maxphysaddr[@mode='emulate']"),
    "hw:mem_encryption": ("true", {"host": SEV, "properties": UEFI}, "launchSecurity"),
    "hw:mem_encryption_model": ("amd-sev-es", {"host": SEV, "properties": {**UEFI, "hw_mem_encryption": "1"}},
                                "launchSecurity/policy[.='0x0037']"),
    "hw:mem_page_size": ("large", {"extra_specs": {"hw:locked_memory": "true"}}, "memoryBacking/locked"),
    "hw:pmu": ("false", {}, "features/pmu[@state='off']"),
    "hw:redirected_usb_ports": ("3", {}, "devices/redirdev[3]"),
    "hw:serial_port_count": ("2", {"options": {"serial_console_enabled": True}, "serial_ports": (1, 2)},
                             "devices/serial[2]"),
    "hw:sound_model": ("es1370", {}, "devices/sound[@model='es1370']"),
    "hw:tpm_model": ("tpm-tis", {**TPM, "properties": {"hw_tpm_version": "1.2"}}, ""),
    "hw:tpm_version": ("2.0", TPM, "devices/tpm[@model='tpm-tis']/backend[@version='2.0']"),
    "hw:usb_model": ("nec-xhci", {"options": {"pointer_model": None}},
                     "devices/controller[@model='nec-xhci']"),
    "hw:viommu_model": ("virtio", {"properties": Q35}, "devices/iommu[@model='virtio']"),
    "hw:watchdog_action": ("pause", {}, "devices/watchdog[@action='pause']"),
    "hw_rng:allowed": ("False", {}, "devices[not(rng)]"),
    "hw_rng:rate_bytes": ("100", {}, "devices/rng/rate[@bytes='100']"),
    "hw_rng:rate_period": ("10", {"extra_specs": {"hw_rng:rate_bytes": "1"}},
                           "devices/rng/rate[@period='10']"),
    "hw_video:ram_max_mb": ("64", {"properties": {"hw_video_ram": "64"}}, "devices/video/model[@vram]"),
    "os:secure_boot": ("required", {"properties": UEFI}, "os/loader[@secure='yes']"),
    "quota:cpu_period": ("10000", {}, "cputune/period[.='10000']"),
    "quota:cpu_quota": ("-1", {}, "cputune/quota[.='-1']"),
    "quota:cpu_shares": ("2048", {}, "cputune/shares[.='2048']"),
    **{
        f"quota:disk_{way}_{what}_sec": ("77", {}, f"devices/disk/iotune/{way}_{what}_sec[.='77']")
        for way in ("read", "write", "total")
        for what in ("bytes", "iops")
    },
}  # fmt: skip

ELSEWHERE = {
    "accel:device_profile": "the API and operations",
    "hw:cpu_dedicated_mask": "the API and the claim: instance.numa_topology",
    "hw:cpu_policy": "the API and the claim",
    "hw:cpu_thread_policy": "the API and the claim",
    "hw:ephemeral_encryption_format": "nothing without hw:ephemeral_encryption",
    "hw:numa_cpus": "the API and the claim",
    "hw:numa_cpus.{num}": "the API and the claim",
    "hw:numa_mem": "the API and the claim",
    "hw:numa_mem.{num}": "the API and the claim",
    "hw:numa_nodes": "the API and the claim",
    "hw:pci_numa_affinity_policy": "the claim of PCI devices",
    "hw:pmem": "the allocation of persistent memory: request.memory_modules",
    "hw:secure_boot": "a message of stock names os:secure_boot so; it is not read",
    "hw:tpm_secret_security": "the keeper of secrets",
    "hw:vif_multiqueue_enabled": "network.interface",
    "hw:virtio_packed_ring": "network.interface",
    "pci_passthrough:alias": "the API",
    "resources:VGPU": "the allocation of mediated devices: request.host_devices",
    **{f"quota:vif_{way}_{what}": "network.interface" for way in ("inbound", "outbound")
       for what in ("average", "burst", "peak")},
    **{f"quota:{name}": "another hypervisor's" for name in (
        "cpu_limit", "cpu_reservation", "cpu_shares_level", "cpu_shares_share", "disk_io_limit",
        "disk_io_reservation", "disk_io_shares_level", "disk_io_shares_share", "memory_limit",
        "memory_reservation", "memory_shares_level", "memory_shares_share", "vif_limit", "vif_reservation",
        "vif_shares_level", "vif_shares_share")},
}  # fmt: skip

REFUSED: list[tuple[str, str, dict[str, Any], type[Exception]]] = [
    ("hw:ephemeral_encryption", "true", {}, errors.Invalid),
    ("hw:emulator_threads_policy", "share", {**NUMA, "extra_specs": {"hw:cpu_realtime": "1"}},
     errors.RealtimeMaskNotFoundOrInvalid),
    ("hw:cpu_realtime", "true", NUMA, errors.RealtimeMaskNotFoundOrInvalid),
    ("hw:locked_memory", "true", {}, errors.LockMemoryForbidden),
    ("hw:mem_encryption", "true", {}, errors.FlavorImageConflict),
    ("hw:tpm_version", "3.0", {}, errors.Invalid),
    ("hw:tpm_version", "2.0", {}, errors.Invalid),
    ("hw:watchdog_action", "bark", {}, errors.InvalidWatchdogAction),
    ("hw:viommu_model", "auto", {}, errors.InvalidVIOMMUMachineType),
    ("quota:cpu_shares", "1", {"host": HostFacts(has_cpu_control=False)},
     errors.UnsupportedHostCPUControlPolicy),
]  # fmt: skip


def asked(more: dict[str, Any], specs: dict[str, str]) -> GuestRequest:
    return order(**{**more, "extra_specs": {**more.get("extra_specs", {}), **specs}})


def xml_of(request: GuestRequest) -> Any:
    domain = guest_domain(request)
    domain.metadata = None
    return domain.build()


@pytest.mark.parametrize("name", HONOURED)
def test_it_is_honoured(name: str) -> None:
    value, more, path = HONOURED[name]
    with_it = xml_of(asked(more, {name: value}))
    if not path:  # says what is usual anyhow
        assert etree.tostring(with_it) == etree.tostring(xml_of(asked(more, {})))
        return
    assert with_it.xpath(path)
    try:
        without = xml_of(asked(more, {}))
    except errors.NovaException:  # it makes possible what is refused without it
        return
    assert not without.xpath(path)


@pytest.mark.parametrize("name", ELSEWHERE)
def test_it_is_not_ours(name: str) -> None:
    assert etree.tostring(xml_of(asked({}, {name: "1"}))) == etree.tostring(xml_of(asked({}, {})))


@pytest.mark.parametrize(("name", "value", "more", "error"), REFUSED)
def test_it_is_refused(name: str, value: str, more: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        guest_domain(asked(more, {name: value}))


def test_every_extra_spec_has_a_row() -> None:
    rows = set(HONOURED) | set(ELSEWHERE) | {name for name, *_ in REFUSED}
    assert rows == set(json.loads(FACTS.read_text())["names"])


@pytest.mark.parametrize(
    ("flavor", "image", "count"),
    [("4", None, 4), ("4", "2", 2), (None, "3", 3), (None, None, 1), ("0", None, 1)],
)
def test_serial_ports_of_flavor_and_image(flavor: str | None, image: str | None, count: int) -> None:
    request = order(
        options={"serial_console_enabled": True},
        extra_specs={} if flavor is None else {"hw:serial_port_count": flavor},
        properties={} if image is None else {"hw_serial_port_count": image},
        serial_ports=(1, 2, 3, 4),
    )
    assert len(guest_domain(request).serials) == count


@pytest.mark.parametrize("key", ["hw:hide_hypervisor_id", "hide_hypervisor_id"])
def test_kvm_hides_by_either_name(key: str) -> None:
    assert xml_of(order(extra_specs={key: "true"})).xpath("features/kvm/hidden")
    assert not xml_of(order(extra_specs={key: "maybe"})).xpath("features/kvm/hidden")


@pytest.mark.parametrize(("of_image", "of_flavor", "has"), [("false", "true", False), (None, "true", True)])
def test_the_images_word_on_the_boot_menu_goes_first(of_image: Any, of_flavor: str, has: bool) -> None:
    properties = {} if of_image is None else {"hw_boot_menu": of_image}
    document = xml_of(order(extra_specs={"hw:boot_menu": of_flavor}, properties=properties))
    assert bool(document.xpath("os/bootmenu")) is has


def test_the_images_watchdog_goes_first() -> None:
    request = order(
        extra_specs={"hw:watchdog_action": "reset"}, properties={"hw_watchdog_action": "disabled"}
    )
    assert not xml_of(request).xpath("devices/watchdog")
