"""The parts of nova-api and nova-conductor that stand before and after the verbs of a move.

Tests drive moves as the control plane does: records, allocations and casts as recorded from a stock one
(contract transcripts, stock-fake-two-hosts.jsonl). Nothing here asks the agents' conductor, so nothing here
is counted.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Mapping, Sequence
from typing import Any

from computed import errors, objects
from computed.embedded.conductor import actions
from computed.embedded.conductor.calls import ClassCall, complete
from computed.embedded.conductor.instance_parts import instance_envelopes
from computed.embedded.conductor.primitives import envelope
from computed.embedded.flavors import find_flavor
from computed.embedded.launch import EVERY_PART
from computed.embedded.scheduler import resources_of
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, MigrationType, TaskState
from tests.functional.cloud import Cloud


class ConductorRole:
    """Moves servers of a cloud of several hosts."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.handed_back: list[dict[str, Any]] = []
        """The arguments of every migrate_server that an agent has sent us."""
        self.reschedules = True
        cloud.embedded.compute_tasks.on_migrate = self._migrate_server

    # Resize and cold migration

    def resize(
        self,
        uuid: str,
        flavor: str | None = None,
        *,
        to: str,
        alternates: Sequence[str] = (),
        clean_shutdown: bool = True,
        wait: bool = True,
    ) -> str:
        """Have a server resized, or with no flavor migrated, to a host; with `wait` until nothing is done
        any more. Returns the uuid of the migration."""
        context = user_context()
        row = self.cloud.row(uuid)
        size = find_flavor(flavor or self._flavor_name(row))
        kind = MigrationType.RESIZE if flavor else MigrationType.MIGRATION
        self.begin(context, uuid, Action.RESIZE if flavor else Action.MIGRATE, TaskState.RESIZE_PREP)
        migration = self.make_migration(uuid, kind, flavor=size, status=MigrationStatus.PRE_MIGRATING)
        self.move_allocations(uuid, migration)
        self.claim(uuid, to, size)
        self._prep(context, uuid, migration, size, [to, *alternates], {}, clean_shutdown)
        if wait:
            self.rest(uuid)
        return migration

    def _prep(
        self,
        context: Any,
        uuid: str,
        migration: str,
        size: Any,
        hosts: Sequence[str],
        retry: Mapping[str, Any],
        clean_shutdown: bool,
    ) -> None:
        to, *others = hosts
        tried = {"num_attempts": 1, "hosts": [], **retry}
        spec = self.request_spec(uuid)
        spec.flavor = size
        self.cloud.rpc.cast(
            "prep_resize",
            context=context,
            version="6.0",
            server=to,
            image=self.image(),
            instance=self.instance(uuid, context),
            flavor=size,
            request_spec=spec,
            filter_properties={"limits": {}, "retry": {**tried, "hosts": [*tried["hosts"], [to, to]]}},
            node=to,
            clean_shutdown=clean_shutdown,
            migration=self.migration(migration, context),
            host_list=[self.selection(other, size) for other in others],
        )

    def confirm(self, uuid: str, *, wait: bool = True) -> None:
        """Have a finished resize confirmed."""
        context = user_context()
        row = self._finished(uuid)
        self.set_migration(row["uuid"], status=MigrationStatus.CONFIRMING)
        self._act(context, uuid, Action.CONFIRM_RESIZE)
        self.cloud.rpc.cast(
            "confirm_resize",
            context=context,
            version="6.0",
            server=row["source_compute"],
            instance=self.instance(uuid, context),
            migration=self.migration(row["uuid"], context),
        )
        if wait:
            self.cloud.wait(lambda: self.cloud.row(uuid)["vm_state"] != "resized", "the confirmation")
            self.rest(uuid)

    def revert(self, uuid: str, *, wait: bool = True) -> None:
        """Have a finished resize reverted."""
        context = user_context()
        row = self._finished(uuid)
        self.begin(context, uuid, Action.REVERT_RESIZE, TaskState.RESIZE_REVERTING)
        self.set_migration(row["uuid"], status=MigrationStatus.REVERTING)
        self.cloud.rpc.cast(
            "revert_resize",
            context=context,
            version="6.0",
            server=row["dest_compute"],
            instance=self.instance(uuid, context),
            migration=self.migration(row["uuid"], context),
            request_spec=self.request_spec(uuid),
        )
        if wait:
            self.rest(uuid)

    def _migrate_server(self, context: Any, **arguments: Any) -> None:
        """An agent could not take a server: try the next host of its list, or give up."""
        self.handed_back.append(arguments)
        if not self.reschedules:
            return
        instance = objects.Instance.obj_from_primitive(arguments["instance"], context)
        hosts = [objects.Selection.obj_from_primitive(host) for host in arguments["host_list"] or ()]
        size = objects.Flavor.obj_from_primitive(arguments["flavor"])
        migration = self.migrations(instance.uuid)[-1]["uuid"]
        if not hosts:
            self.give_up(context, instance.uuid, migration)
            return
        retry = arguments["scheduler_hint"]["filter_properties"]["retry"]
        attempt = {"num_attempts": retry["num_attempts"] + 1, "hosts": retry["hosts"]}
        self.cloud.embedded.placement.delete_allocations(context, instance.uuid)
        self.claim(instance.uuid, hosts[0].service_host, size)
        left = [host.service_host for host in hosts]
        self._prep(context, instance.uuid, migration, size, left, attempt, arguments["clean_shutdown"])

    def give_up(self, context: Any, uuid: str, migration: str) -> None:
        """What a conductor does when no host is left: the server stays where and what it was."""
        placement = self.cloud.embedded.placement
        placement.delete_allocations(context, uuid)
        placement.move_allocations(context, migration, uuid)
        self.set_migration(migration, status=MigrationStatus.ERROR)
        self.cloud.set_fields(uuid, task_state=None)

    # Live migration

    def live_migrate(
        self,
        uuid: str,
        *,
        to: str,
        block_migration: bool | None = None,
        disk_over_commit: bool | None = None,
        wait: bool = True,
    ) -> str:
        """Have a server moved while it runs; raises what the check at the destination raises, after having
        taken back what had been begun. Returns the uuid of the migration."""
        context = user_context()
        row = self.cloud.row(uuid)
        self.begin(context, uuid, Action.LIVE_MIGRATION, TaskState.MIGRATING)
        migration = self.make_migration(
            uuid, MigrationType.LIVE_MIGRATION, status=MigrationStatus.ACCEPTED, dest_compute=to
        )
        self.move_allocations(uuid, migration)
        self.claim(uuid, to, find_flavor(self._flavor_name(row)))
        try:
            migrate_data = self.cloud.rpc.call(
                "check_can_live_migrate_destination",
                context=context,
                version="6.0",
                server=to,
                instance=self.instance(uuid, context),
                block_migration=block_migration,
                disk_over_commit=disk_over_commit,
                migration=self.migration(migration, context),
                limits=objects.SchedulerLimits(numa_topology=None, memory_mb=None, disk_gb=None, vcpu=None),
            )
        except Exception:
            self.give_up(context, uuid, migration)
            raise
        self.cloud.rpc.cast(
            "live_migration",
            context=context,
            topic="compute-alt",
            version="6.0",
            server=row["host"],
            dest=to,
            instance=self.instance(uuid, context),
            block_migration=block_migration,
            migration=self.migration(migration, context),
            migrate_data=migrate_data,
        )
        if wait:
            self.rest(uuid)
        return migration

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
        old = self._flavor_id(row)
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

    def _finished(self, uuid: str) -> dict[str, Any]:
        found = [row for row in self.migrations(uuid) if row["status"] == MigrationStatus.FINISHED]
        assert found, f"{uuid} has no finished migration: {self.migrations(uuid)}"
        return found[-1]

    def _flavor_name(self, row: Mapping[str, Any]) -> str:
        return str(row["flavor"]["nova_object.data"]["name"])

    def _flavor_id(self, row: Mapping[str, Any]) -> int:
        return int(row["flavor"]["nova_object.data"]["id"])
