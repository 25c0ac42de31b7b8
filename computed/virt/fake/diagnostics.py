"""Figures of guests that only exist in memory: made up, but of the shape that their devices give them."""

from __future__ import annotations

from typing import Any, Final

from computed import objects
from computed.virt.fake.memory import Memory
from computed.virt.fake.store import FakeGuest
from computed.virt.port.diagnostics import DiagnosticsPort

_CPU_NANOSECONDS: Final = 17_300_000_000
_DISK: Final = {"errors": -1, "read": 262_144, "read_req": 112, "write": 5_778_432, "write_req": 488}
_INTERFACE: Final = {
    "rx": 2_070_139,
    "rx_drop": 0,
    "rx_errors": 0,
    "rx_packets": 26_701,
    "tx": 140_208,
    "tx_drop": 0,
    "tx_errors": 0,
    "tx_packets": 662,
}


class FakeDiagnostics(Memory, DiagnosticsPort):
    """Every guest has one busy CPU; each of its disks and interfaces has moved the same."""

    def diagnostics(self, instance: Any) -> dict[str, Any]:
        with self._changing("diagnostics", instance) as guest:
            found: dict[str, Any] = {"cpu0_time": _CPU_NANOSECONDS, "memory": 524_288}
            for disk in _disk_names(guest):
                found.update({f"{disk}_{name}": value for name, value in _DISK.items()})
            for number, _ in enumerate(guest.vifs):
                found.update({f"vnet{number}_{name}": value for name, value in _INTERFACE.items()})
            return found

    def instance_diagnostics(self, instance: Any) -> Any:
        with self._changing("instance_diagnostics", instance) as guest:
            disks = [_disk_figures() for _ in _disk_names(guest)]
            interfaces = [_interface_figures() for _ in guest.vifs]
        return objects.Diagnostics(
            # The field knows no fake driver.
            driver="libvirt",
            hypervisor="kvm",
            hypervisor_os="linux",
            state="running",
            uptime=46_664,
            config_drive=False,
            cpu_details=[objects.CpuDiagnostics(id=0, time=_CPU_NANOSECONDS, utilisation=15)],
            disk_details=disks,
            nic_details=interfaces,
            memory_details=objects.MemoryDiagnostics(maximum=512, used=0),
            num_cpus=1,
            num_disks=len(disks),
            num_nics=len(interfaces),
        )


def _disk_names(guest: FakeGuest) -> list[str]:
    return [name.removeprefix("/dev/") for name in guest.disks]


def _disk_figures() -> Any:
    return objects.DiskDiagnostics(
        errors_count=0,
        read_bytes=_DISK["read"],
        read_requests=_DISK["read_req"],
        write_bytes=_DISK["write"],
        write_requests=_DISK["write_req"],
    )


def _interface_figures() -> Any:
    names = {"rx": "rx_octets", "tx": "tx_octets"}
    figures = {names.get(name, name): value for name, value in _INTERFACE.items()}
    return objects.NicDiagnostics(mac_address="01:23:45:67:89:ab", rx_rate=300, tx_rate=600, **figures)
