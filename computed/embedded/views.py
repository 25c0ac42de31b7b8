"""What the API of the one-host cloud shows of its records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from computed.embedded.store import Fields
from computed.states import PowerState, TaskState, VmState

_STATUS = {
    VmState.ACTIVE: "ACTIVE",
    VmState.BUILDING: "BUILD",
    VmState.DELETED: "DELETED",
    VmState.ERROR: "ERROR",
    VmState.PAUSED: "PAUSED",
    VmState.STOPPED: "SHUTOFF",
    VmState.SUSPENDED: "SUSPENDED",
    VmState.SOFT_DELETED: "SOFT_DELETED",
}
_STATUS_IN_TASK = {
    TaskState.REBOOTING: "REBOOT",
    TaskState.REBOOT_PENDING: "REBOOT",
    TaskState.REBOOT_STARTED: "REBOOT",
    TaskState.REBOOTING_HARD: "HARD_REBOOT",
    TaskState.REBOOT_PENDING_HARD: "HARD_REBOOT",
    TaskState.REBOOT_STARTED_HARD: "HARD_REBOOT",
}


def status_of(row: Mapping[str, Any]) -> str:
    """The status that nova's API shows for the states of an instance."""
    if row["vm_state"] in (VmState.ACTIVE, VmState.STOPPED) and row["task_state"] in _STATUS_IN_TASK:
        return _STATUS_IN_TASK[row["task_state"]]
    return _STATUS.get(row["vm_state"], str(row["vm_state"]).upper())


def server_view(row: Fields, cache: Fields | None, fault: Fields | None) -> dict[str, Any]:
    """A server as JSON; `cache` and `fault` are its records of these kinds."""
    power_state = row["power_state"]
    return {
        "id": row["uuid"],
        "name": row["display_name"],
        "status": status_of(row),
        "task_state": row["task_state"],
        "power_state": PowerState(power_state or 0).label,
        "flavor": row["flavor"]["nova_object.data"]["name"] if row["flavor"] else None,
        "image": row["image_ref"],
        "addresses": _addresses(cache),
        "host": row["host"],
        "node": row["node"],
        "metadata": row["metadata"],
        "created": row["created_at"],
        "launched": row["launched_at"],
        "fault": _fault_view(fault) if fault and row["vm_state"] == VmState.ERROR else None,
    }


def _addresses(cache: Fields | None) -> list[str]:
    vifs = json.loads(cache["network_info"]) if cache and cache["network_info"] else []
    return [
        ip["address"]
        for vif in vifs
        for subnet in (vif["network"] or {"subnets": []})["subnets"]
        for ip in subnet["ips"]
    ]


def _fault_view(fault: Fields) -> dict[str, Any]:
    return {
        "code": fault["code"],
        "message": fault["message"],
        "details": fault["details"],
        "created": fault["created_at"],
    }


def host_view(
    service: Fields | None,
    nodes: Iterable[tuple[Fields, Mapping[str, Mapping[str, Any]]]],
    servers: int,
    down_after_seconds: int,
) -> dict[str, Any]:
    """The host as JSON; each node comes with its inventories in placement."""
    return {
        "host": service["host"] if service else None,
        "service": _service_state(service, down_after_seconds),
        "servers": servers,
        "nodes": [_node_view(node, inventories) for node, inventories in nodes],
    }


def _service_state(service: Fields | None, down_after_seconds: int) -> str:
    """`up` when the last sign of life is recent, else `down`; `starting` when there never was one."""
    if service is None:
        return "starting"
    seen = service["last_seen_up"] or service["created_at"]
    age = datetime.now(UTC) - datetime.fromisoformat(seen.replace("Z", "+00:00"))
    return "up" if age.total_seconds() <= down_after_seconds else "down"


def _node_view(node: Fields, inventories: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "name": node["hypervisor_hostname"],
        "id": node["uuid"],
        "hypervisor": node["hypervisor_type"],
        "resources": {
            name: {
                "total": said["total"],
                "reserved": said["reserved"],
                "allocation_ratio": said["allocation_ratio"],
                "used": said["used"],
            }
            for name, said in sorted(inventories.items())
        },
    }
