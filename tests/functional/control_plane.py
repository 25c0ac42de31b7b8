"""What nova-api and nova-conductor do by themselves around a move: records, allocations, arguments.

Nothing here asks the agents' conductor, so nothing here is counted.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping
from typing import Any

from computed import errors, objects
from computed.embedded.conductor import actions
from computed.embedded.conductor.calls import ClassCall, complete
from computed.embedded.conductor.instance_parts import instance_envelopes
from computed.embedded.conductor.primitives import envelope
from computed.embedded.launch import EVERY_PART
from computed.embedded.scheduler import resources_of
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, MigrationType, TaskState
from tests.functional.cloud import Cloud


class ControlPlane:
    """Makes and reads what moves are about, in a cloud of several hosts."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    # What the verbs are given

    def instance(self, uuid: str, context: Any) -> Any:
        """The server with every part."""
        with self.cloud.embedded.store.transaction() as records:
            row = records.first("Instance", read_deleted="yes", uuid=uuid)
            assert row is not None
            return objects.Instance.obj_from_primitive(
                instance_envelopes(records, [row], EVERY_PART)[0], context
            )

    def migration(self, uuid: str, context: Any = None) -> Any:
        """The record of a migration as the object that is sent with a verb."""
        [row] = self.cloud.rows("Migration", uuid=uuid)
        return objects.Migration.obj_from_primitive(envelope("Migration", row), context or user_context())

    def migrations(self, uuid: str) -> list[dict[str, Any]]:
        """The migration records of a server, oldest first."""
        return self.cloud.rows("Migration", instance_uuid=uuid)

    def request_spec(self, uuid: str) -> Any:
        """What the scheduler was last asked for."""
        [row] = self.cloud.rows("RequestSpec", instance_uuid=uuid)
        return objects.RequestSpec.obj_from_primitive(envelope("RequestSpec", row), user_context())

    def image(self) -> dict[str, Any]:
        """The image of the servers that tests boot."""
        return dict(self.cloud.embedded.images.find("guest"))

    def selection(self, host: str, size: Any) -> Any:
        """A host as the scheduler names it in a list of alternatives."""
        node = self.node(host)
        return objects.Selection(
            allocation_request='{"allocations": {}}',
            allocation_request_version="1.36",
            availability_zone="nova",
            cell_uuid=str(uuids.UUID(int=1)),
            compute_node_uuid=node["uuid"],
            limits=None,
            nodename=node["hypervisor_hostname"],
            service_host=host,
        )

    def node(self, host: str) -> dict[str, Any]:
        """The record of the compute node of a host."""
        [row] = self.cloud.rows("ComputeNode", host=host)
        return row

    # What the control plane does by itself

    def begin(self, context: Any, uuid: str, action: Action, task: TaskState | None) -> None:
        """What the API does first: the task state, and the action that events will belong to."""
        row = self.cloud.row(uuid)
        if row["task_state"] is not None:
            raise errors.InstanceInvalidState(
                instance_uuid=uuid, attr="task_state", state=row["task_state"], method=str(action)
            )
        self.cloud.set_fields(uuid, task_state=task and str(task), progress=0)
        self._act(context, uuid, action)

    def _act(self, context: Any, uuid: str, action: Action) -> None:
        with self.cloud.embedded.store.transaction() as records:
            actions.action_start(ClassCall(context, records), uuid, action)

    def make_migration(
        self, uuid: str, kind: MigrationType, *, status: MigrationStatus, flavor: Any = None, **more: Any
    ) -> str:
        """The record of a move from where the server is; returns its uuid."""
        row = self.cloud.row(uuid)
        old = self.flavor_id(row)
        fields = {
            "uuid": str(uuids.uuid4()),
            "instance_uuid": uuid,
            "migration_type": str(kind),
            "status": str(status),
            "source_compute": row["host"],
            "source_node": row["node"],
            "old_instance_type_id": old,
            "new_instance_type_id": flavor.id if flavor is not None else old,
            "user_id": row["user_id"],
            "project_id": row["project_id"],
            **more,
        }
        with self.cloud.embedded.store.transaction() as records:
            records.insert("Migration", complete("Migration", fields))
        return str(fields["uuid"])

    def set_migration(self, uuid: str, **fields: Any) -> None:
        """Change the record of a migration."""
        with self.cloud.embedded.store.transaction() as records:
            row = records.first("Migration", uuid=uuid)
            assert row is not None
            records.update("Migration", row, {name: value and str(value) for name, value in fields.items()})

    def move_allocations(self, source: str, target: str) -> None:
        """Give all that one consumer holds in placement to another; not counted."""
        allocations = self.cloud.embedded.placement
        with self._uncounted():
            allocations.move_allocations(user_context(), source, target)

    def claim(self, uuid: str, host: str, size: Any, *, beside: bool = False) -> None:
        """Let a server hold room for a flavor on a host, in place of what it holds, or `beside` it."""
        placement, context = self.cloud.embedded.placement, user_context()
        row = self.cloud.row(uuid)
        with self._uncounted():
            known = placement.get_allocations(context, uuid)
            held = {
                provider: {"resources": said["resources"]}
                for provider, said in known["allocations"].items()
                if beside
            }
            held[self.node(host)["uuid"]] = {"resources": resources_of(size)}
            body = {
                "allocations": held,
                "consumer_generation": known.get("consumer_generation"),
                "project_id": row["project_id"],
                "user_id": row["user_id"],
            }
            placement.put_allocations(context, uuid, body)

    def _uncounted(self) -> Any:
        return self.cloud.uncounted()

    # Looking

    def rest(self, uuid: str) -> None:
        """Wait until nothing is done to a server any more."""
        self.cloud.settle()
        self.cloud.wait_for(uuid, task_state=None)
        self.cloud.settle()

    def holds(self, consumer: str) -> dict[str, dict[str, int]]:
        """What placement holds for a server or a migration: host → resource class → amount."""
        hosts = {row["uuid"]: row["host"] for row in self.cloud.rows("ComputeNode")}
        return {hosts[provider]: held for provider, held in self.cloud.allocations(consumer).items()}

    def flavor_name(self, row: Mapping[str, Any]) -> str:
        return str(row["flavor"]["nova_object.data"]["name"])

    def flavor_id(self, row: Mapping[str, Any]) -> int:
        return int(row["flavor"]["nova_object.data"]["id"])
