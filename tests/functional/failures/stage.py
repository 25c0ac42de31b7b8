"""Where the failures are played: a cloud of two hosts, the roles of its control plane, and its rules."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from computed import errors
from computed.embedded.servers import user_context
from computed.embedded.volume_records import ATTACHMENT
from computed.states import MigrationStatus
from tests.functional.cloud import HOST, PATIENCE_SECONDS, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.failures.remotes import Answer, Remotes
from tests.functional.images.owner import Owner
from tests.functional.rebuild.role import RebuildRole

SECOND: Final = "second"
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


class Stage:
    """Sends verbs, and knows what must be so whatever went wrong."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.owner = Owner(cloud)
        self.rebuilder = RebuildRole(cloud)
        self.mover = ConductorRole(cloud)
        self.remotes = Remotes(cloud)
        self.is_host_lost = False
        """Whether the first host has broken in the play that runs."""

    # What is done

    def boot(self, **order: Any) -> str:
        """Order a server with a volume, and wait for the end of it, whatever that is."""
        disk = {"source_type": "volume", "volume_id": self.cloud.embedded.volumes.add(), "boot_index": -1}
        (uuid,) = self.cloud.boot(wait=False, host=HOST, volumes=[disk], **order)
        self.owner.settle()
        return uuid

    def send(self, uuid: str, method: str, task_state: str | None, **arguments: Any) -> None:
        """Cast a verb as the API does, and wait for its end."""
        context = self.owner.begin(uuid, method, task_state=task_state)
        host = self.cloud.row(uuid)["host"]
        given = {"instance": self.cloud.instance(uuid), **arguments}
        self.owner.cast(method, context, server=host, **given)

    def ask(self, uuid: str, method: str, **arguments: Any) -> Any:
        """Call a verb as the API does; its answer, be it an error."""
        context = self.owner.begin(uuid, method)
        given = {"instance": self.cloud.instance(uuid), **arguments}
        return self.cloud.rpc.call(method, context=context, server=self.cloud.row(uuid)["host"], **given)

    def attach_volume(self, uuid: str) -> None:
        """Have one more volume attached; what the API does by itself it takes back when it is refused."""
        volumes, context = self.cloud.embedded.volumes, user_context()
        volume_id = volumes.add()
        asked = {"device": None, "disk_bus": None, "device_type": None, "tag": None, "multiattach": False}
        bdm = self.ask(uuid, "reserve_block_device_name", volume_id=volume_id, **asked)
        bdm.attachment_id = volumes.attachment_create(context, volume_id, uuid).id
        with self.cloud.embedded.store.transaction() as records:
            row = records.first("BlockDeviceMapping", uuid=bdm.uuid)
            assert row is not None
            records.update("BlockDeviceMapping", row, {"attachment_id": bdm.attachment_id})
        bdm.obj_reset_changes()
        self.send(uuid, "attach_volume", None, bdm=bdm)

    def detach_volume(self, uuid: str) -> None:
        """Have the server's volume detached."""
        (bdm,) = [
            row
            for row in self.cloud.rows("BlockDeviceMapping", instance_uuid=uuid)
            if row["volume_id"] and not row["deleted"]
        ]
        self.cloud.embedded.volumes.begin_detaching(user_context(), bdm["volume_id"])
        wanted = {"volume_id": bdm["volume_id"], "attachment_id": bdm["attachment_id"]}
        self.send(uuid, "detach_volume", None, **wanted)

    def delete(self, uuid: str) -> None:
        """Have the server deleted through the API, and wait for the end of it; not when it is gone."""
        statuses = [move["status"] for move in self.mover.migrations(uuid)]
        if self.row(uuid)["vm_state"] == "resized" and MigrationStatus.FINISHED in statuses:
            # The API has the resize confirmed before.
            self.mover.confirm(uuid, wait=False)
            self.rest(uuid)
        self.begin_deletion(uuid)
        self.owner.settle()

    def audit(self) -> None:
        """Let every host look at what it holds for whom."""
        for agent in self.cloud.agents.values():
            agent.run_periodic("update_available_resource")

    def lose_host(self, uuid: str) -> None:
        """The first host breaks and comes back empty."""
        agent = self.cloud.agents[HOST]
        agent.host.driver._store.remove(uuid, keep_disks=False)  # type: ignore[attr-defined]
        agent.host.tracker.release(self.cloud.instance(uuid))

    def rest(self, uuid: str) -> None:
        """Wait until nothing is done to the server any more, be it in threads that no message waits for; what
        never ends is for the rules to find."""
        end = time.monotonic() + PATIENCE_SECONDS
        self.owner.settle()
        while time.monotonic() < end:
            row = self.row(uuid)
            is_busy = row["task_state"] is not None or self._migrations(uuid, row)
            if row["deleted"] or not is_busy:
                break
            time.sleep(0.02)
        self.owner.settle()

    def begin_deletion(self, uuid: str) -> None:
        """Have the server deleted through the API; returns at once."""
        has_host = self.row(uuid)["host"] is not None
        with contextlib.suppress(errors.InstanceNotFound):
            self.cloud.embedded.servers.delete(user_context(), uuid)
        if not has_host:
            # Nor is there anybody else to give its volumes back.
            for attachment in self.attachments(uuid):
                self.cloud.embedded.volumes.attachment_delete(user_context(), attachment)

    def lose_images(self, answer: Answer) -> Any:
        """Somebody deletes every image before one is asked for."""
        for image in self.owner.images.made.all_images():
            self.owner.images.made.delete(image["id"])
        return answer()

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
        ]
        found = [rule(uuid, row) for rule in rules]
        if row["task_state"] is not None:
            found.append(f"its task state is {row['task_state']}")
        if row["vm_state"] not in states:
            found.append(f"it is {row['vm_state']}, not one of {sorted(states)}")
        return [breach for breach in found if breach]

    def _of_nothing(self, uuid: str) -> list[str]:
        if self.holders(uuid):
            # What another host held for a move that failed, its next audit finds to be nobody's.
            self.audit()
        left = {
            "guests": self.guests(uuid),
            "places": self.holders(uuid),
            "allocations": self.mover.holds(uuid),
            "ports": [port["uuid"] for port in self.ports(uuid)],
            "attachments": self.attachments(uuid),
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
            if not is_right or port.get("inactive_hosts") or (self.guests(uuid) and not port["host"]):
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
        if guest is None or not guest.defined or set(guest.volumes) == wanted:
            return ""
        return f"its mappings name volumes {wanted}, its guest has {set(guest.volumes)}"

    def _migrations(self, uuid: str, row: Mapping[str, Any]) -> str:
        under_way = [move["status"] for move in self.mover.migrations(uuid) if move["status"] not in OVER]
        return f"migrations are left {under_way}" if under_way else ""

    def _images(self, uuid: str, row: Mapping[str, Any]) -> str:
        made = self.owner.images.search(None, {"instance_uuid": uuid})
        empty = [image["id"] for image in made if image["status"] != "active"]
        return f"images without contents are left: {empty}" if empty else ""
