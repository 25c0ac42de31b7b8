"""Every option of the host that designers heed: read from its section, and heard in the XML."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

pytest.importorskip("lxml")

from oslo_config import cfg

from computed import errors
from computed.conf import register_all
from computed.virt.libvirt.design import DesignOptions, guest_domain
from computed.virt.libvirt.design.machine import machine_for
from computed.virt.libvirt.design.request import CpuOptions, Firmware, HostFacts, SpiceOptions
from tests.unit.virt.libvirt.design.matrix import MATRIX, request_of
from tests.unit.virt.libvirt.design.orders import ARM, X86, image, order

# option: (section, name, text in the file or value, field, what the field then is)
ROWS: list[tuple[str, str, Any, str, Any]] = [
    ("libvirt", "virt_type", "lxc", "virt_type", "lxc"),
    ("libvirt", "hw_machine_type", ["x86_64=q35", "aarch64 = virt", "q35"], "machine_types",
     (("x86_64", "q35"), ("aarch64", "virt"))),
    ("libvirt", "enabled_perf_events", ["cpu_clock"], "perf_events", ("cpu_clock",)),
    ("libvirt", "file_backed_memory", 4096, "file_backed_memory_mib", 4096),
    ("libvirt", "uid_maps", ["0:1:2"], "uid_maps", ("0:1:2",)),
    ("libvirt", "gid_maps", ["0:1:2"], "gid_maps", ("0:1:2",)),
    ("libvirt", "hw_disk_discard", "unmap", "disk_discard", "unmap"),
    ("libvirt", "mem_stats_period_seconds", 0, "balloon_period_seconds", 0),
    ("libvirt", "num_pcie_ports", 12, "pcie_ports", 12),
    ("libvirt", "realtime_scheduler_priority", 5, "realtime_priority", 5),
    ("libvirt", "rng_dev_path", "/dev/hwrng", "rng_device", "/dev/hwrng"),
    ("libvirt", "sysinfo_serial", "os", "sysinfo_serial", "os"),
    ("libvirt", "swtpm_enabled", True, "swtpm_enabled", True),
    ("libvirt", "tb_cache_size", 64, "translation_cache_mib", 64),
    ("", "preallocate_images", "space", "preallocates_images", True),
    ("", "pointer_model", "ps2mouse", "pointer_model", "ps2mouse"),
    ("workarounds", "libvirt_disable_apic", True, "apic_disabled", True),
    ("vnc", "enabled", False, "vnc_enabled", False),
    ("vnc", "server_listen", "192.0.2.1", "vnc_listen", "192.0.2.1"),
    ("serial_console", "enabled", True, "serial_console_enabled", True),
    ("serial_console", "proxyclient_address", "192.0.2.2", "serial_console_listen", "192.0.2.2"),
    ("compute", "cpu_shared_set", "0-2,^1", "shared_cpus", frozenset({0, 2})),
    ("libvirt", "cpu_mode", "custom", "cpu", CpuOptions(mode="custom")),
    ("libvirt", "cpu_models", ["Haswell"], "cpu", CpuOptions(models=("Haswell",))),
    ("libvirt", "cpu_model_extra_flags", ["-vmx"], "cpu", CpuOptions(extra_flags=("-vmx",))),
    ("spice", "enabled", True, "spice", SpiceOptions(is_enabled=True)),
    ("spice", "agent_enabled", False, "spice", SpiceOptions(has_agent=False)),
    ("spice", "server_listen", "192.0.2.3", "spice", SpiceOptions(listen="192.0.2.3")),
    ("spice", "require_secure", True, "spice", SpiceOptions(require_secure=True)),
    ("spice", "image_compression", "off", "spice", SpiceOptions(image_compression="off")),
    ("spice", "jpeg_compression", "never", "spice", SpiceOptions(jpeg_compression="never")),
    ("spice", "zlib_compression", "auto", "spice", SpiceOptions(zlib_compression="auto")),
    ("spice", "playback_compression", False, "spice", SpiceOptions(playback_compression=False)),
    ("spice", "streaming_mode", "all", "spice", SpiceOptions(streaming_mode="all")),
]  # fmt: skip


def fresh() -> cfg.ConfigOpts:
    conf = cfg.ConfigOpts()
    register_all(conf)
    conf([], project="computed", default_config_files=[])
    return conf


def test_what_is_not_set_is_usual() -> None:
    assert DesignOptions.from_conf(fresh()) == DesignOptions()


@pytest.mark.parametrize(("section", "name", "value", "field", "expected"), ROWS)
def test_an_option_is_read(section: str, name: str, value: Any, field: str, expected: Any) -> None:
    conf = fresh()
    conf.set_override(name, value, group=section or None)
    options = DesignOptions.from_conf(conf)
    assert getattr(options, field) == expected
    assert dataclasses.replace(options, **{field: getattr(DesignOptions(), field)}) == DesignOptions()


def test_every_field_has_a_row() -> None:
    rows = {field for *_, field, _ in ROWS}
    assert rows == {field.name for field in dataclasses.fields(DesignOptions)}


def test_a_set_of_cpus_that_is_none_is_refused() -> None:
    conf = fresh()
    conf.set_override("cpu_shared_set", "a-b", group="compute")
    with pytest.raises(ValueError, match="neither a CPU nor a range"):
        DesignOptions.from_conf(conf)


def spoken_in(name: str) -> str:
    return guest_domain(request_of(name)).to_xml()


def test_options_of_the_matrix_are_heard() -> None:
    plain = guest_domain(order()).to_xml()
    for name, wanted in MATRIX.items():
        if set(wanted) == {"options"}:
            assert spoken_in(name) != plain, name


@pytest.mark.parametrize(
    ("options", "host", "path"),
    [
        ({"rng_device": "/dev/hwrng"}, X86, "devices/rng/backend[.='/dev/hwrng']"),
        ({"vnc_listen": "::"}, X86, "devices/graphics[@listen='::']"),
        ({"sysinfo_serial": "auto"}, X86, "sysinfo/system/entry[.='01234567-89ab-cdef-0123-456789abcdef']"),
        (
            {"sysinfo_serial": "auto"},
            HostFacts(host_uuid="h"),
            "sysinfo/system/entry[@name='serial' and .='h']",
        ),
        ({"balloon_period_seconds": -1}, X86, "devices/memballoon[@model='none']"),
    ],
)
def test_more_options_are_heard(options: dict[str, Any], host: HostFacts, path: str) -> None:
    assert guest_domain(order(options=options, host=host)).build().xpath(path)


@pytest.mark.parametrize("machine_id", [None, "", "no id at all"])
def test_a_serial_number_that_the_host_has_not_is_refused(machine_id: str | None) -> None:
    host = HostFacts(machine_id=machine_id)
    with pytest.raises(errors.InternalError, match="sysinfo_serial"):
        guest_domain(order(options={"sysinfo_serial": "os"}, host=host))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (CpuOptions(mode="custom"), "cpu_models names none"),
        (CpuOptions(mode="custom", models=("Pentium9",)), "Pentium9"),
    ],
)
def test_processors_that_are_not_there_are_refused(options: CpuOptions, match: str) -> None:
    with pytest.raises(errors.InvalidCPUInfo, match=match):
        guest_domain(order(options={"cpu": options}))


def test_no_model_has_the_flags_that_are_required() -> None:
    options = {"cpu": CpuOptions(mode="custom", models=("qemu64", "Nehalem"))}
    with pytest.raises(errors.InvalidCPUInfo, match="avx2"):
        guest_domain(order(options=options, extra_specs={"trait:HW_CPU_X86_AVX2": "required"}))


def test_a_cpu_mode_that_qemu_has_not_is_refused_if_asked_for_and_replaced_if_not() -> None:
    facts = dataclasses.replace(X86.domains["x86_64", "pc"], cpu_modes=frozenset({"maximum", "custom"}))
    host = dataclasses.replace(X86, domains={("x86_64", "pc"): facts})
    with pytest.raises(errors.InvalidCPUInfo, match="host-passthrough"):
        guest_domain(order(options={"cpu": CpuOptions(mode="host-passthrough")}, host=host))
    made = guest_domain(order(host=host))
    assert made.cpu is not None and made.cpu.mode == "maximum"


STATEFUL = Firmware("/code.fd", "/vars.fd", targets=(("x86_64", "pc-q35-*"),))
UEFI = {"hw_machine_type": "q35", "hw_firmware_type": "uefi", "hw_firmware_stateless": "true"}


@pytest.mark.parametrize(
    ("facts", "more", "options", "properties", "error", "match"),
    [
        ({"graphics": frozenset({"vnc"})}, {}, {"spice": SpiceOptions(is_enabled=True)}, {}, errors.Invalid,
         "SPICE"),
        ({"disk_buses": frozenset({"virtio", "sata"})}, {}, {}, {"hw_disk_bus": "ide"},
         errors.UnsupportedHardware, "'ide'"),
        ({"tpm_models": frozenset({"tpm-tis"})}, {}, {"swtpm_enabled": True},
         {"hw_tpm_version": "2.0", "hw_tpm_model": "tpm-crb"}, errors.Invalid, "tpm-crb"),
        ({"tpm_backends": frozenset({"passthrough"})}, {}, {"swtpm_enabled": True}, {"hw_tpm_version": "2.0"},
         errors.Invalid, "2.0"),
        ({}, {"firmwares": (STATEFUL,)}, {}, UEFI, errors.UEFINotSupported, "stateless"),
        ({"firmwares": frozenset()}, {}, {}, {**UEFI, "hw_firmware_stateless": "no"}, errors.UEFINotSupported,
         "q35"),
        ({"maxphysaddr_modes": frozenset({"emulate"})}, {}, {}, {"hw_maxphysaddr_mode": "passthrough"},
         errors.Invalid, "passthrough"),
    ],
)  # fmt: skip
def test_what_qemu_has_not_is_refused(
    facts: Any, more: Any, options: Any, properties: Any, error: type[Exception], match: str
) -> None:
    kind = properties.get("hw_machine_type", "pc")
    domain = dataclasses.replace(X86.domains["x86_64", kind], **facts)
    host = dataclasses.replace(X86, domains={("x86_64", kind): domain}, **more)
    with pytest.raises(error, match=match):
        guest_domain(order(host=host, options=options, properties=properties))


def test_firmware_without_state_is_enough_for_its_machine() -> None:
    stateless = Firmware("/amdsev.fd", targets=(("x86_64", "pc-q35-*"),), is_stateless=True)
    host = dataclasses.replace(X86, firmwares=(STATEFUL, stateless))
    assert guest_domain(order(host=host, properties=UEFI)).build().xpath("os/loader[@stateless='yes']")


@pytest.mark.parametrize(
    ("properties", "host", "options", "arch", "kind", "bus"),
    [
        ({}, X86, {}, "x86_64", "pc", "ide"),
        ({}, X86, {"machine_types": (("x86_64", "q35"),)}, "x86_64", "q35", "sata"),
        ({"hw_machine_type": "pc-i440fx-7.2"}, X86, {"machine_types": (("x86_64", "q35"),)},
         "x86_64", "pc-i440fx-7.2", "ide"),
        ({}, ARM, {}, "aarch64", "virt", "scsi"),
        ({"hw_architecture": "i686"}, HostFacts(), {}, "i686", "pc", "ide"),
        ({}, HostFacts(arch="ppc64le"), {}, "ppc64le", "pseries", "scsi"),
        ({}, HostFacts(arch="riscv64", default_machines={"riscv64": "virt"}), {}, "riscv64", "virt", "ide"),
        ({}, X86, {"virt_type": "lxc"}, "x86_64", None, "ide"),
    ],
)  # fmt: skip
def test_machines(
    properties: Any, host: HostFacts, options: Any, arch: str, kind: str | None, bus: str
) -> None:
    machine = machine_for(image(properties), host, DesignOptions(**options))
    assert (machine.arch, machine.type, machine.cdrom_bus) == (arch, kind, bus)
