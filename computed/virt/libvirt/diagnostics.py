"""Figures of one guest, in both forms that the API has, from one bulk call and the guest's definition."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from oslo_utils import timeutils

from computed import objects
from computed.states import PowerState
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.xml.domain import Domain
from computed.virt.port.diagnostics import DiagnosticsPort

Figures = Mapping[str, Any]
"""What libvirt's bulk statistics say of one guest: `vcpu.0.time`, `block.1.rd.bytes`, ..."""

_NOT_COUNTED: Final = -1
# The names under which libvirt has them in bulk, and those that the API has always shown.
_DISK: Final = {
    "rd.reqs": "read_req",
    "rd.bytes": "read",
    "wr.reqs": "write_req",
    "wr.bytes": "write",
    "errors": "errors",
}
_INTERFACE: Final = {
    "rx.bytes": "rx",
    "rx.pkts": "rx_packets",
    "rx.errs": "rx_errors",
    "rx.drop": "rx_drop",
    "tx.bytes": "tx",
    "tx.pkts": "tx_packets",
    "tx.errs": "tx_errors",
    "tx.drop": "tx_drop",
}
_MEMORY: Final = {
    "current": "actual",
    "swap_in": "swap_in",
    "swap_out": "swap_out",
    "major_fault": "major_fault",
    "minor_fault": "minor_fault",
    "unused": "unused",
    "available": "available",
    "usable": "usable",
    "last-update": "last_update",
    "rss": "rss",
    "disk_caches": "disk_caches",
    "hugetlb_pgalloc": "hugetlb_pgalloc",
    "hugetlb_pgfail": "hugetlb_pgfail",
}
_DISK_DETAILS: Final = {
    "read_req": "read_requests",
    "read": "read_bytes",
    "write_req": "write_requests",
    "write": "write_bytes",
    "errors": "errors_count",
}
_NIC_DETAILS: Final = {"rx": "rx_octets", "tx": "tx_octets"}


class LibvirtDiagnostics(LibvirtPart, DiagnosticsPort):
    """Two calls of libvirt a guest, however many devices it has."""

    def diagnostics(self, instance: Any) -> dict[str, Any]:
        guest = self._engine.connection.guest(instance.uuid)
        return by_name(guest.statistics())

    def instance_diagnostics(self, instance: Any) -> Any:
        guest = self._engine.connection.guest(instance.uuid)
        details = as_details(guest.statistics(), guest.domain())
        return objects.Diagnostics(
            driver="libvirt",
            hypervisor=self._engine.options.virt_type,
            hypervisor_os="linux",
            state=PowerState(guest.state().power_state).label,
            uptime=_seconds_since(instance.launched_at),
            config_drive=bool(instance.config_drive),
            **details,
        )


def by_name(figures: Figures) -> dict[str, Any]:
    """The old form: `cpu0_time`, `vda_read`, `tapXY_rx_packets`, `memory` (KiB), `memory-actual`..."""
    found: dict[str, Any] = {f"cpu{number}_time": time for number, time in _cpu_times(figures)}
    for name, counted in _devices(figures, "block", _DISK):
        found.update({f"{name}_{word}": value for word, value in counted.items()})
    for name, counted in _devices(figures, "net", _INTERFACE):
        found.update({f"{name}_{word}": value for word, value in counted.items()})
    found["memory"] = figures.get("balloon.maximum", 0)
    for key, word in _MEMORY.items():
        if f"balloon.{key}" in figures:
            found[f"memory-{word}"] = figures[f"balloon.{key}"]
    return found


def as_details(figures: Figures, domain: Domain) -> dict[str, Any]:
    """The parts of an objects.Diagnostics; `domain` knows the MAC addresses of the interfaces."""
    cpus = [objects.CpuDiagnostics(id=number, time=time) for number, time in _cpu_times(figures)]
    disks = [
        objects.DiskDiagnostics(**{_DISK_DETAILS[word]: value for word, value in counted.items()})
        for _, counted in _devices(figures, "block", _DISK)
    ]
    counted_by_target = dict(_devices(figures, "net", _INTERFACE))
    nics = []
    for interface in domain.interfaces:
        counted = counted_by_target.get(interface.target_dev or "", {})
        renamed = {_NIC_DETAILS.get(word, word): value for word, value in counted.items()}
        nics.append(objects.NicDiagnostics(mac_address=interface.mac, **renamed))
    return {
        "cpu_details": cpus,
        "disk_details": disks,
        "nic_details": nics,
        "memory_details": objects.MemoryDiagnostics(
            maximum=figures.get("balloon.maximum", 0) // 1024, used=figures.get("balloon.current", 0) // 1024
        ),
        "num_cpus": len(cpus),
        "num_disks": len(disks),
        "num_nics": len(nics),
    }


def _cpu_times(figures: Figures) -> Iterator[tuple[int, int]]:
    """Number and nanoseconds of every CPU that is plugged in; numbers may have gaps."""
    for number in range(figures.get("vcpu.maximum", 0)):
        time = figures.get(f"vcpu.{number}.time")
        if time is not None:
            yield number, int(time)


def _devices(figures: Figures, kind: str, words: Mapping[str, str]) -> Iterator[tuple[str, dict[str, int]]]:
    """Name and counters of every device of a kind; what libvirt does not count is -1, as ever."""
    seen = set()
    for number in range(figures.get(f"{kind}.count", 0)):
        name = figures.get(f"{kind}.{number}.name")
        # An entry of a backing file follows that of its disk, has the same name, and is no device.
        if name is None or name in seen:
            continue
        seen.add(name)
        start = f"{kind}.{number}."
        yield str(name), {word: int(figures.get(start + key, _NOT_COUNTED)) for key, word in words.items()}


def _seconds_since(moment: Any) -> int:
    if moment is None:
        return 0
    return int(timeutils.delta_seconds(timeutils.normalize_time(moment), timeutils.utcnow()))
