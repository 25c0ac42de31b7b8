"""A conductor that leads a resize between cells: it calls the legs one after the other.

Both hosts are in one cell here, so source and target cell have one record of everything.
"""

from __future__ import annotations

from typing import Any

from computed import objects
from computed.embedded.flavors import find_flavor
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, MigrationType, TaskState
from tests.functional.cloud import HOST
from tests.functional.conductor_role import ConductorRole
from tests.functional.resize.looking import SECOND

LIMITS = objects.SchedulerLimits(numa_topology=None, memory_mb=None, disk_gb=None, vcpu=None)


class CrossCell(ConductorRole):
    """The conductor's task for a resize of one server to the second host."""

    def begin_move(self, uuid: str, flavor: str = "m1.micro") -> None:
        self.context, self.uuid, self.size = user_context(), uuid, find_flavor(flavor)
        self.begin(self.context, uuid, Action.RESIZE, TaskState.RESIZE_PREP)
        status = MigrationStatus.PRE_MIGRATING
        self.uuid_of_move = self.make_migration(
            uuid, MigrationType.RESIZE, status=status, flavor=self.size, cross_cell_move=True
        )
        self.move_allocations(uuid, self.uuid_of_move)
        self.claim(uuid, SECOND, self.size)
        self.cloud.embedded.network.create_bindings(
            self.context, self.instance(uuid, self.context), host=SECOND
        )
        with self.cloud.embedded.store.transaction() as records:
            found = records.first("Instance", uuid=uuid)
            assert found is not None
            metadata = {**found["system_metadata"], "old_vm_state": found["vm_state"]}
            changes = {"new_flavor": self.size.obj_to_primitive(), "system_metadata": metadata}
            records.update("Instance", found, changes)

    def leg(self, method: str, host: str, **arguments: Any) -> Any:
        return self.cloud.rpc.call(
            method,
            context=self.context,
            version="6.0",
            server=host,
            instance=self.instance(self.uuid, self.context),
            migration=self.migration(self.uuid_of_move, self.context),
            **arguments,
        )

    def prep_dest(self) -> Any:
        return self.leg(
            "prep_snapshot_based_resize_at_dest", SECOND, flavor=self.size, nodename=SECOND, limits=LIMITS
        )

    def prep_source(self, snapshot_id: str | None = None) -> None:
        self.cloud.set_fields(self.uuid, task_state="resize_migrating")
        self.leg("prep_snapshot_based_resize_at_source", HOST, snapshot_id=snapshot_id)

    def finish(self, snapshot_id: str | None = None) -> None:
        self.leg("finish_snapshot_based_resize_at_dest", SECOND, snapshot_id=snapshot_id)

    def there(self, uuid: str) -> None:
        self.begin_move(uuid)
        self.prep_dest()
        self.prep_source()
        self.finish()
