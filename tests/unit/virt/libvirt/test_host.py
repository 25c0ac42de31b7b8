"""What is told of a host, compared with what a stock agent tells of the same one, and in how many calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lxml")

from computed import errors
from computed.states import PowerState
from computed.virt.capabilities import traits_of
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.host import Host
from computed.virt.specs import GuestState, HostCpuTimes
from tests.unit.virt.libvirt.recorded_host import UUID, Domain, RecordedConnection, conf_of

STOCK = json.loads((Path(__file__).parents[3] / "contract" / "facts" / "libvirt_host.json").read_text())
STOCK = STOCK["default"]
GIB = 1 << 30
NOT_SUPPORTED = errors.LibvirtFailed("not supported by the driver", Failure.NO_SUPPORT)
# A stock agent never takes these away; a QEMU that is gone takes them away from ours.
ONLY_OURS = {f"COMPUTE_ARCH_{name}" for name in ("AARCH64", "MIPSEL", "PPC64LE", "RISCV64", "S390X")}


def host_of(directory: Path, connection: RecordedConnection | None = None, **options: Any) -> Host:
    return Host(connection or RecordedConnection(), conf_of(directory, **options))  # type: ignore[arg-type]


def without_changes(primitive: Any) -> Any:
    if isinstance(primitive, dict):
        return {k: without_changes(v) for k, v in primitive.items() if k != "nova_object.changes"}
    return [without_changes(each) for each in primitive] if isinstance(primitive, list) else primitive


def test_resources_are_those_that_a_stock_agent_reports(tmp_path: Path) -> None:
    stock = STOCK["resources"]
    ours = host_of(tmp_path).resources("vm")
    assert json.loads(ours.cpu_info) == stock["cpu_info"]
    assert ours.numa_topology is not None
    assert without_changes(json.loads(ours.numa_topology)) == stock["numa_topology"]
    assert [list(each) for each in ours.supported_instances] == stock["supported_instances"]
    assert (ours.hypervisor_type, ours.hypervisor_version) == (
        stock["hypervisor_type"],
        stock["hypervisor_version"],
    )
    assert (ours.vcpus, ours.memory_mib) == (stock["vcpus"], stock["memory_mb"])
    assert ours.disk_gib > 0 and "load average" in ours.stats["uptime"]


def test_traits_are_those_that_a_stock_agent_reports(tmp_path: Path) -> None:
    said = host_of(tmp_path).traits()
    assert sorted(trait for trait, is_there in said.items() if is_there) == STOCK["traits"]
    assert set(said) - set(STOCK["decided"]) == ONLY_OURS


def test_capabilities_are_those_that_a_stock_agent_reports(tmp_path: Path) -> None:
    host = host_of(tmp_path)
    assert "COMPUTE_STORAGE_VIRTIO_FS" not in traits_of(host.flags), "nothing is known of the host yet"
    host.check()
    # Nobody here checks the signatures of images, so servers that want it are not for this host.
    stock = set(STOCK["capabilities"]) - {"supports_trusted_certs"}
    assert {flag for flag, is_there in host.flags.items() if is_there} == stock
    assert "COMPUTE_TRUSTED_CERTS" not in traits_of(host.flags)


def test_what_stays_is_read_once_and_again_after_a_reconnection(tmp_path: Path) -> None:
    connection = RecordedConnection()
    host = host_of(tmp_path, connection)
    first = host.facts()
    assert host.facts() is first and connection.asked.count("getCapabilities") == 1
    connection.generation += 1
    assert host.facts() is not first and connection.asked.count("getCapabilities") == 2


def test_an_audit_asks_as_often_whatever_there_is(tmp_path: Path) -> None:
    connection = RecordedConnection(getAllDomainStats=lambda groups, flags: [])
    host = host_of(tmp_path, connection)
    host.check()
    for guests in (0, 100):
        connection.figures = [(f"guest-{number}", {}) for number in range(guests)]
        connection.say(
            getAllDomainStats=[(Domain(f"guest-{number}"), {"state.state": 5}) for number in range(guests)]
        )
        connection.asked.clear()
        host.resources("vm")
        host.inventories()
        host.traits()
        assert len(host.states()) == guests
        assert sorted(connection.asked) == [
            "getAllDomainStats",
            "getCPUMap",
            "getCPUMap",
            "getInfo",
            "getInfo",
            "statistics",
        ]


def test_guests_by_uuid(tmp_path: Path) -> None:
    found = [(Domain("a", 7), {"state.state": 1}), (Domain("b"), {"state.state": 5})]
    states = host_of(tmp_path, RecordedConnection(getAllDomainStats=found)).states()
    assert states == {
        "a": GuestState("a", PowerState.RUNNING, "7"),
        "b": GuestState("b", PowerState.SHUTDOWN, None),
    }


def test_an_answer_with_a_hole_is_no_answer(tmp_path: Path) -> None:
    connection = RecordedConnection(getAllDomainStats=[(Domain(), {})])
    with pytest.raises(errors.ReadIncomplete, match=UUID):
        host_of(tmp_path, connection).states()


@pytest.mark.parametrize("error", [errors.HypervisorUnavailable(), errors.LibvirtFailed("planted", 1)])
def test_no_answer_is_not_no_guests(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)):
        host_of(tmp_path, RecordedConnection(getAllDomainStats=error)).states()


def test_containers_are_listed_by_state(tmp_path: Path) -> None:
    lists = {16: [Domain("runs", 3)], 32: [Domain("paused", 4)], 64: [Domain("off")], 128: []}
    connection = RecordedConnection(getAllDomainStats=NOT_SUPPORTED, listAllDomains=lists.__getitem__)
    states = host_of(tmp_path, connection).states()
    assert {uuid: state.power_state for uuid, state in states.items()} == {
        "runs": PowerState.RUNNING,
        "paused": PowerState.PAUSED,
        "off": PowerState.SHUTDOWN,
    }


def test_disks_that_have_not_grown_yet_are_counted(tmp_path: Path) -> None:
    (tmp_path / "disk").write_bytes(b"x" * 8192)
    connection = RecordedConnection()
    figures = {
        "block.count": 4,
        "block.0.path": str(tmp_path / "disk"),
        "block.0.capacity": 3 * GIB,
        "block.1.path": str(tmp_path / "has-just-gone"),
        "block.1.capacity": 100 * GIB,
        "block.2.path": "/dev/disk/by-path/ip-10.0.0.1:3260-iscsi-a-volume-lun-0",
        "block.2.capacity": 100 * GIB,
        "block.3.name": "hda",
    }
    host = host_of(tmp_path, connection)
    before = host.resources("vm").disk_available_least
    connection.figures = [("guest", figures), ("no disks", {})]
    after = host.resources("vm").disk_available_least
    assert before is not None and after is not None and 2 <= before - after <= 4


def test_the_node_keeps_its_name_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    connection = RecordedConnection()
    host = host_of(tmp_path, connection)
    assert host.node_name() == STOCK["resources"]["hypervisor_hostname"]
    connection.say(getHostname="renamed")
    connection.generation += 1
    assert host.node_name() == STOCK["resources"]["hypervisor_hostname"]
    assert "renamed" in caplog.text


def test_who_the_node_is(tmp_path: Path) -> None:
    host = host_of(tmp_path)
    assert host.node_uuid() == host.node_uuid() != host_of(tmp_path).node_uuid()
    (tmp_path / "compute_id").write_text(UUID)
    assert host.node_uuid() == UUID


def test_file_backed_memory_is_what_there_is(tmp_path: Path) -> None:
    options = {"libvirt__file_backed_memory": 5000, "ram_allocation_ratio": 1.0, "reserved_host_memory_mb": 0}
    host = host_of(tmp_path, **options)
    host.check()
    assert host.inventories()["MEMORY_MB"].total == 5000
    assert host.flags["supports_mem_backing_file"]


@pytest.mark.parametrize(
    ("options", "said", "error", "text"),
    [
        ({}, {"getLibVersion": 7_010_000}, errors.StartRefused, "libvirt 7.10.0 is too old: 8.0.0"),
        ({}, {"getVersion": 5_002_000}, errors.StartRefused, "QEMU 5.2.0 is too old: 6.2.0"),
        ({"compute__cpu_shared_set": "nine"}, {}, errors.InvalidConfiguration, "cpu_shared_set = nine"),
        ({"libvirt__cpu_mode": "custom"}, {}, errors.Invalid, "needs .libvirt.cpu_models"),
        ({"libvirt__cpu_models": ["qemu64"]}, {}, errors.Invalid, "models need cpu_mode = custom"),
        (
            {"libvirt__cpu_mode": "custom", "libvirt__cpu_models": ["Z80"]},
            {},
            errors.InvalidCPUInfo,
            "no Z80",
        ),
        (
            {"libvirt__file_backed_memory": 1, "reserved_host_memory_mb": 1, "ram_allocation_ratio": 1.0},
            {},
            errors.InvalidConfiguration,
            "reserved_host_memory_mb",
        ),
        ({"libvirt__file_backed_memory": 1}, {}, errors.InvalidConfiguration, "ram_allocation_ratio"),
        ({}, {"getCapabilities": "<capabilities"}, errors.LibvirtFailed, "cannot be read"),
    ],
)
def test_what_cannot_work_is_refused(
    tmp_path: Path, options: dict[str, Any], said: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        host_of(tmp_path, RecordedConnection(**said), **options).check()


def test_kvm_without_kvm_is_worth_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    capabilities = RecordedConnection().call("getCapabilities").replace("type='kvm'", "type='hvf'")
    connection = RecordedConnection(getCapabilities=capabilities, getDomainCapabilities=NOT_SUPPORTED)
    host = host_of(tmp_path, connection, libvirt__virt_type="kvm")
    host.check()
    assert "no KVM here" in caplog.text
    assert not host.reading().domains, "what cannot run here is no architecture of guests"


def test_disk_that_is_kept_is_offered_as_reserved(tmp_path: Path) -> None:
    host = host_of(tmp_path)
    host.check()
    offered = host.inventories(kept_disk_gib=3)
    assert {name: inventory.reserved for name, inventory in offered.items()} == {
        "VCPU": 0,
        "MEMORY_MB": 0,
        "DISK_GB": 3,
    }


def test_what_the_processors_have_done(tmp_path: Path) -> None:
    connection = RecordedConnection(
        getCPUStats=lambda cpu, flags: {"user": 1, "kernel": 2, "idle": 3, "iowait": 4, "intr": 5},
        getInfo=lambda: ["x86_64", 16000, 2, 2400, 1, 1, 2, 1],
    )
    times = host_of(tmp_path, connection).cpu_times()
    assert times == HostCpuTimes(user=1, kernel=2, idle=3, iowait=4, frequency_mhz=2400)
