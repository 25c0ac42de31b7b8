"""What must be so of a server whatever went wrong, and looking whether it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from computed.embedded.volume_records import ATTACHMENT
from computed.states import MigrationStatus
from tests.functional.cloud import HOST, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.images.owner import Owner

WITH_GUEST: Final = frozenset({"active", "stopped", "paused", "suspended", "rescued", "soft-delete"})
OVER: Final = frozenset(
    {
        MigrationStatus.CANCELLED,
        MigrationStatus.COMPLETED,
        MigrationStatus.CONFIRMED,
        MigrationStatus.DONE,
        MigrationStatus.ERROR,
        MigrationStatus.FAILED,
        MigrationStatus.FINISHED,
        MigrationStatus.REVERTED,
    }
)
"""Where a migration may stay."""


class Rules:
    """The part of a Stage that looks; each rule says what is wrong, or nothing."""

    cloud: Cloud
    owner: Owner
    mover: ConductorRole
    is_host_lost: bool

    # What is found

    def row(self, uuid: str) -> Mapping[str, Any]:
        return self.cloud.row(uuid)

    def guests(self, uuid: str) -> set[str]:
        """The hosts that have a guest of the server."""
        return {name for name, agent in self.cloud.agents.items() if uuid in agent.host.driver.states()}

    def holders(self, uuid: str) -> set[str]:
        """The hosts whose ledger has a place for the server."""
        return {name for name in self.cloud.agents if self.owner.held_here(uuid, name)}

    def attachments(self, uuid: str) -> set[str]:
        return {row["uuid"] for row in self.cloud.rows(ATTACHMENT, instance_uuid=uuid)}

    def ports(self, uuid: str) -> list[Any]:
        return self.cloud.rows("Port", instance_uuid=uuid)

    def disks(self, uuid: str) -> set[str]:
        """The hosts that have disks of the server, with or without its guest."""
        return {name for name in self.cloud.agents if self.owner.guest(uuid, name) is not None}

    def mappings(self, uuid: str) -> list[Mapping[str, Any]]:
        """Its share mappings."""
        return self.cloud.rows("ShareMapping", instance_uuid=uuid)

    def share_rules(self) -> list[str]:
        """Who may use shares; no other server has any."""
        shares = self.cloud.embedded.shares
        return [rule for share_id in list(shares._rules) for rule in shares.allowed(share_id)]

    def accelerators(self, uuid: str) -> set[str]:
        """The accelerator requests of the server."""
        requests = self.cloud.embedded.accelerators._requests.values()
        return {request["uuid"] for request in requests if request["instance_uuid"] == uuid}

    # What must be so

    def breaches(self, uuid: str, states: frozenset[str]) -> list[str]:
        """The rules that are broken for a server that is to be in one of the vm_states; best none."""
        row = self.row(uuid)
        if row["deleted"]:
            return self._of_nothing(uuid)
        rules: list[Callable[[str, Mapping[str, Any]], str]] = [
            self._fault,
            self._guest,
            self._place,
            self._allocations,
            self._bindings,
            self._attachments,
            self._volumes,
            self._migrations,
            self._images,
            self._shares,
            self._accelerators,
        ]
        found = [rule(uuid, row) for rule in rules]
        if row["task_state"] is not None:
            found.append(f"its task state is {row['task_state']}")
        if row["vm_state"] not in states:
            found.append(f"it is {row['vm_state']}, not one of {sorted(states)}")
        return [breach for breach in found if breach]

    def _of_nothing(self, uuid: str) -> list[str]:
        if self.holders(uuid) or self.disks(uuid):
            # What another host held for a move that failed, its next audit finds to be nobody's, and its
            # next clean-up the files.
            self.audit()
        left = {
            "guests": self.guests(uuid),
            "places": self.holders(uuid),
            "allocations": self.mover.holds(uuid),
            "ports": [port["uuid"] for port in self.ports(uuid)],
            "attachments": self.attachments(uuid),
            "disks": self.disks(uuid),
            "shares": [mapping["share_id"] for mapping in self.mappings(uuid)],
            "rules of shares": self.share_rules(),
            "accelerators": self.accelerators(uuid),
            "allocations of moves": [
                move["uuid"] for move in self.mover.migrations(uuid) if self.mover.holds(move["uuid"])
            ],
        }
        return [f"of the deleted server are left {name}: {what}" for name, what in left.items() if what]

    def _fault(self, uuid: str, row: Mapping[str, Any]) -> str:
        failed = [event for event, result in self.cloud.events(uuid) if result == "Error"]
        is_told = bool(self.cloud.faults(uuid))
        return "" if is_told or not (failed or row["vm_state"] == "error") else "no fault is recorded"

    def _guest(self, uuid: str, row: Mapping[str, Any]) -> str:
        guests, host = self.guests(uuid), {row["host"]} - {None}
        if self.is_host_lost and row["host"] == HOST:
            return f"it has guests on {guests}" if guests else ""
        wrong = guests != host if row["vm_state"] in WITH_GUEST else not guests <= host
        return f"{row['vm_state']} on {row['host']} it has guests on {guests}" if wrong else ""

    def _place(self, uuid: str, row: Mapping[str, Any]) -> str:
        holders = self.holders(uuid)
        if row["vm_state"] == "resized":
            wanted = {row["host"], self.mover.migrations(uuid)[-1]["source_compute"]}
            return f"resized it has places on {holders}" if holders != wanted else ""
        is_right = self._are_right(uuid, row, holders) or holders <= self._ends(uuid, row)
        return "" if is_right else f"on {row['host']} it has places on {holders}"

    def _ends(self, uuid: str, row: Mapping[str, Any]) -> set[str]:
        """Where it is, and both ends of moves that failed half-way: disks are there until the server is
        deleted or an operator helps."""
        failed = [move for move in self.mover.migrations(uuid) if move["status"] == MigrationStatus.ERROR]
        ends = {move[end] for move in failed for end in ("source_compute", "dest_compute")}
        return (ends | {row["host"]}) - {None}

    def _allocations(self, uuid: str, row: Mapping[str, Any]) -> str:
        held = set(self.mover.holds(uuid))
        if self.is_host_lost and row["host"] != HOST:
            # A host that has broken gives its part back when it returns.
            held -= {HOST}
        # What a move that failed holds stands for disks that may be there still.
        moves = [
            move["uuid"]
            for move in self.mover.migrations(uuid)
            if self.mover.holds(move["uuid"]) and move["status"] != MigrationStatus.ERROR
        ]
        if row["vm_state"] == "error" and not moves:
            return "" if held <= self._ends(uuid, row) else f"in error it holds allocations on {held}"
        failed = [move for move in self.mover.migrations(uuid) if move["status"] == MigrationStatus.ERROR]
        if bool(moves) != (row["vm_state"] == "resized" and not failed):
            return f"{row['vm_state']}, its migrations {moves} hold allocations"
        return "" if self._are_right(uuid, row, held) else f"on {row['host']} it holds allocations on {held}"

    def _are_right(self, uuid: str, row: Mapping[str, Any], hosts: set[str]) -> bool:
        """Whether `hosts` are those where it may hold something: its own. A server whose guest is gone
        already is on its way off the host (it waits to be deleted or offloaded once more), and may hold
        less."""
        wanted = {row["host"]} - {None}
        return hosts == wanted or (hosts <= wanted and not self.guests(uuid))

    def _bindings(self, uuid: str, row: Mapping[str, Any]) -> str:
        for port in self.ports(uuid):
            is_right = port["host"] is None or port["host"] in self._ends(uuid, row)
            resting = set(port.get("inactive_hosts") or ()) - _way_back(self.mover.migrations(uuid))
            if not is_right or resting or (self.guests(uuid) and not port["host"]):
                return f"on {row['host']} it has a port on {port['host']}, {port.get('inactive_hosts')}"
        return ""

    def _attachments(self, uuid: str, row: Mapping[str, Any]) -> str:
        bdms = self.cloud.rows("BlockDeviceMapping", instance_uuid=uuid)
        wanted = {bdm["attachment_id"] for bdm in bdms if bdm.get("attachment_id") and not bdm["deleted"]}
        there = self.attachments(uuid)
        # A server without a guest waits to be deleted: its mappings may still name what is given back.
        is_right = there == wanted if self.guests(uuid) else there <= wanted
        return "" if is_right else f"its mappings name attachments {wanted}, there are {there}"

    def _volumes(self, uuid: str, row: Mapping[str, Any]) -> str:
        bdms = self.cloud.rows("BlockDeviceMapping", instance_uuid=uuid)
        wanted = {bdm["volume_id"] for bdm in bdms if bdm["volume_id"] and not bdm["deleted"]}
        guest = self.owner.guest(uuid, row["host"]) if row["host"] else None
        if guest is None or not guest.defined:
            return ""
        # One that has migrated within the volume service has lost the id by which the hypervisor knows it.
        known = set(guest.volumes) & set(self.cloud.embedded.volumes.volume_ids())
        if known <= wanted and len(guest.volumes) == len(wanted):
            return ""
        return f"its mappings name volumes {wanted}, its guest has {set(guest.volumes)}"

    def _migrations(self, uuid: str, row: Mapping[str, Any]) -> str:
        under_way = [move["status"] for move in self.mover.migrations(uuid) if move["status"] not in OVER]
        return f"migrations are left {under_way}" if under_way else ""

    def _images(self, uuid: str, row: Mapping[str, Any]) -> str:
        made = self.owner.images.search(None, {"instance_uuid": uuid})
        empty = [image["id"] for image in made if image["status"] != "active"]
        return f"images without contents are left: {empty}" if empty else ""

    def _shares(self, uuid: str, row: Mapping[str, Any]) -> str:
        statuses, rules = {each["status"] for each in self.mappings(uuid)}, self.share_rules()
        if statuses & {"attaching", "detaching"}:
            return f"its shares are {statuses}"
        there = self.cloud.embedded.shares._rules
        is_lost = any(each["share_id"] not in there for each in self.mappings(uuid))
        is_right = bool(rules) == bool(statuses) or statuses == {"error"} or is_lost
        return "" if is_right else f"its shares are {statuses}, their rules {rules}"

    def _accelerators(self, uuid: str, row: Mapping[str, Any]) -> str:
        has, guest = self.accelerators(uuid), self.owner.guest(uuid, row["host"]) if row["host"] else None
        if guest is None or not guest.defined:
            return f"without a guest it has accelerators {has}" if has and not row["host"] else ""
        return "" if set(guest.accelerators) == has else f"its guest has {guest.accelerators}, it {has}"

    def audit(self) -> None:
        """Let every host look at what it holds for whom."""
        for agent in self.cloud.agents.values():
            agent.run_periodic("update_available_resource")
            agent.run_periodic("_cleanup_incomplete_migrations")


def _way_back(moves: list[dict[str, Any]]) -> set[str]:
    """The hosts that keep bindings: from cell to cell both ends, until the resize is confirmed."""
    kept = (MigrationStatus.FINISHED, MigrationStatus.ERROR)
    between_cells = [move for move in moves if move.get("cross_cell_move") and move["status"] in kept]
    return {move[end] for move in between_cells for end in ("source_compute", "dest_compute")}


def standing(rules: Rules, uuid: str) -> dict[str, Any]:
    """What a server is, and where: what an order for a thing that is done must leave alone."""
    row, agents, holds = rules.row(uuid), rules.cloud.agents, rules.mover.holds
    names = ("vm_state", "task_state", "power_state", "host", "node", "instance_type_id", "deleted")
    moves = rules.mover.migrations(uuid)
    return {
        **{name: row[name] for name in names},
        "power": {name: agents[name].host.driver.states()[uuid].power_state for name in rules.guests(uuid)},
        "places": rules.holders(uuid),
        "allocations": holds(uuid),
        "moves": {move["uuid"]: (move["status"], holds(move["uuid"])) for move in moves},
        "shares": [(mapping["share_id"], mapping["status"]) for mapping in rules.mappings(uuid)],
    }
