"""What tests of moves look at."""

from __future__ import annotations

from typing import Any

from tests.functional.cloud import Cloud

SECOND, THIRD = "second", "third"
NANO = {"VCPU": 1, "MEMORY_MB": 128, "DISK_GB": 1}
MICRO = {"VCPU": 1, "MEMORY_MB": 256, "DISK_GB": 1}


def used_mib(cloud: Cloud, host: str) -> int:
    """What a host's ledger holds of memory, without what is reserved for the host itself."""
    (node,) = cloud.agents[host].host.tracker._nodes
    return sum(entry.usage.memory_mib for entry in node.ledger.entries().values())


def audit(cloud: Cloud) -> None:
    """Let every host compare itself with the records."""
    for agent in cloud.agents.values():
        agent.run_periodic("update_available_resource")


def guests(cloud: Cloud, host: str) -> dict[str, int]:
    """The power states of a host's guests."""
    states = cloud.agents[host].host.driver.states()
    return {uuid: state.power_state for uuid, state in states.items()}


def port_hosts(cloud: Cloud, uuid: str) -> set[Any]:
    """Where the ports of a server are bound."""
    return {port.get("host") for port in cloud.rows("Port", instance_uuid=uuid)}


def states_of(cloud: Cloud, uuid: str) -> tuple[Any, ...]:
    """vm_state, task_state, host and node of a server."""
    row = cloud.row(uuid)
    return row["vm_state"], row["task_state"], row["host"], row["node"]


def flavor_of(cloud: Cloud, uuid: str, which: str = "flavor") -> Any:
    """The name of a server's flavor, or of its old or new one."""
    known = cloud.row(uuid)[which]
    return known and known["nova_object.data"]["name"]


def fail(cloud: Cloud, host: str, *orders: str) -> None:
    """Let a host's driver fail as these orders say, and no other."""
    cloud.agents[host].conf.set_override("fail", list(orders), group="fake")
