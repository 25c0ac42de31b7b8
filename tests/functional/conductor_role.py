"""The parts of nova-api and nova-conductor that stand before and after the verbs of a move.

Tests drive moves as the control plane does: records, allocations and casts as recorded from a stock one
(contract transcripts, stock-fake-two-hosts.jsonl). Nothing here asks the agents' conductor, so nothing here
is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from computed import errors, objects
from computed.embedded.flavors import find_flavor
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, MigrationType, TaskState, VmState
from tests.functional.cloud import Cloud
from tests.functional.control_plane import ControlPlane


class ConductorRole(ControlPlane):
    """Moves servers of a cloud of several hosts."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.handed_back: list[dict[str, Any]] = []
        """The arguments of every migrate_server that an agent has sent us."""
        self.reschedules = True
        self.twice = False
        """Whether every order of a resize is sent a second time, at once."""
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
        retry: bool = True,
        wait: bool = True,
    ) -> str:
        """Have a server resized, or with no flavor migrated, to a host; with `wait` until nothing is done
        any more. Without `retry` the host may not send it back. Returns the uuid of the migration."""
        context = user_context()
        row = self.cloud.row(uuid)
        size = find_flavor(flavor or self.flavor_name(row))
        kind = MigrationType.RESIZE if flavor else MigrationType.MIGRATION
        self.begin(context, uuid, Action.RESIZE if flavor else Action.MIGRATE, TaskState.RESIZE_PREP)
        migration = self.make_migration(uuid, kind, flavor=size, status=MigrationStatus.PRE_MIGRATING)
        self.move_allocations(uuid, migration)
        self.claim(uuid, to, size)
        tried = {} if retry else None
        self._prep(context, uuid, migration, size, [to, *alternates], tried, clean_shutdown)
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
        retry: Mapping[str, Any] | None,
        clean_shutdown: bool,
    ) -> None:
        to, *others = hosts
        properties: dict[str, Any] = {"limits": {}}
        if retry is not None:
            tried = {"num_attempts": 1, "hosts": [], **retry}
            properties["retry"] = {**tried, "hosts": [*tried["hosts"], [to, to]]}
        spec = self.request_spec(uuid)
        spec.flavor = size
        order = {
            "image": self.image(),
            "instance": self.instance(uuid, context),
            "flavor": size,
            "request_spec": spec,
            "filter_properties": properties,
            "node": to,
            "clean_shutdown": clean_shutdown,
            "migration": self.migration(migration, context),
            "host_list": [self.selection(other, size) for other in others],
        }
        self._cast(context, to, "prep_resize", **order)

    def _cast(self, context: Any, server: str, method: str, **arguments: Any) -> None:
        for _ in range(1 + self.twice):
            self.cloud.rpc.cast(method, context=context, version="6.0", server=server, **arguments)

    def confirm(self, uuid: str, *, wait: bool = True) -> None:
        """Have a finished resize confirmed."""
        context = user_context()
        row = self._finished(uuid)
        self.set_migration(row["uuid"], status=MigrationStatus.CONFIRMING)
        self._act(context, uuid, Action.CONFIRM_RESIZE)
        self.send_confirm(context, uuid, row["uuid"])
        if wait:
            self.cloud.wait(lambda: self.cloud.row(uuid)["vm_state"] != "resized", "the confirmation")
            self.rest(uuid)

    def send_confirm(self, context: Any, uuid: str, migration: str) -> None:
        """Only the message of a confirmation."""
        self._cast(
            context,
            self.migration(migration).source_compute,
            "confirm_resize",
            instance=self.instance(uuid, context),
            migration=self.migration(migration, context),
        )

    def revert(self, uuid: str, *, wait: bool = True) -> None:
        """Have a finished resize reverted."""
        context = user_context()
        row = self._finished(uuid)
        self.begin(context, uuid, Action.REVERT_RESIZE, TaskState.RESIZE_REVERTING)
        self.set_migration(row["uuid"], status=MigrationStatus.REVERTING)
        self._cast(
            context,
            row["dest_compute"],
            "revert_resize",
            instance=self.instance(uuid, context),
            migration=self.migration(row["uuid"], context),
            request_spec=self.request_spec(uuid),
        )
        if wait:
            self.rest(uuid)

    def _finished(self, uuid: str) -> dict[str, Any]:
        found = [row for row in self.migrations(uuid) if row["status"] == MigrationStatus.FINISHED]
        assert found, f"{uuid} has no finished migration: {self.migrations(uuid)}"
        return found[-1]

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
        self.move_allocations(instance.uuid, migration)
        self.claim(instance.uuid, hosts[0].service_host, size)
        left = [host.service_host for host in hosts]
        self._prep(context, instance.uuid, migration, size, left, attempt, arguments["clean_shutdown"])

    def give_up(self, context: Any, uuid: str, migration: str) -> None:
        """What a conductor does when no host is left: the server stays where and what it was."""
        placement = self.cloud.embedded.placement
        row = self.cloud.row(uuid)
        if row["deleted"] or row["task_state"] == TaskState.DELETING or row["vm_state"] == VmState.DELETED:
            # A stock conductor hands it the allocations all the same, for a later audit to find: no agent's
            # doing, so not to be found here.
            placement.delete_allocations(context, migration)
            return
        if self.holds(migration):
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
        self.claim(uuid, to, find_flavor(self.flavor_name(row)))
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
        try:
            self._bind_ports(context, uuid, to, migrate_data)
        except KeyError:
            # They are gone, for the server is deleted: the conductor gives up, too.
            self.give_up(context, uuid, migration)
            raise errors.MigrationPreCheckError(reason="no ports to bind") from None
        self.set_migration(migration, dest_node=to)
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

    def _bind_ports(self, context: Any, uuid: str, to: str, migrate_data: Any) -> None:
        """Bind the ports to the destination too, and tell both ends how; not counted."""
        network = self.cloud.embedded.network
        counted, watcher = dict(network.by_method), network.on_request
        network.on_request = None
        if network.supports_multiple_bindings(context):
            bindings = network.create_bindings(context, self.instance(uuid, context), host=to)
            for vif in migrate_data.vifs:
                binding = bindings[vif.port_id]
                vif.profile = binding["profile"]
                vif.vnic_type = binding["vnic_type"]
                vif.vif_details = binding["vif_details"]
                vif.vif_type = binding["vif_type"]
        network.on_request = watcher
        network.by_method.clear()
        network.by_method.update(counted)

    def abort(self, uuid: str, migration: str) -> None:
        """Have a live migration aborted, as a user would."""
        context = user_context()
        self._act(context, uuid, Action.LIVE_MIGRATION_CANCEL)
        self.cloud.rpc.cast(
            "live_migration_abort",
            context=context,
            version="6.0",
            server=self.cloud.row(uuid)["host"],
            instance=self.instance(uuid, context),
            migration_id=self.migration(migration).id,
        )

    def force(self, uuid: str) -> None:
        """Have a live migration brought to its end."""
        context = user_context()
        self._act(context, uuid, Action.LIVE_MIGRATION_FORCE_COMPLETE)
        self.cloud.rpc.cast(
            "live_migration_force_complete",
            context=context,
            version="6.0",
            server=self.cloud.row(uuid)["host"],
            instance=self.instance(uuid, context),
        )
