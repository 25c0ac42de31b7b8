"""What a driver does in a live migration, at its source and at its destination."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from computed.virt.specs import GuestSpec, LiveMigrationProgress

Watch = Callable[[LiveMigrationProgress], None]
"""Told now and then how far a live migration has come; returns soon, never raises."""


class LiveMigrationPort:
    """Guests that move to another host while they run; a driver that cannot raises NotImplementedError.

    `data` is an `objects.LiveMigrateData` of the driver's own kind: it travels between both ends, and each
    method that returns one may have filled in more of it. The order of the calls, D for destination and S
    for source: check_live_migration_destination (D), check_live_migration_source (S),
    end_live_migration_check (D); disks_to_send (S), prepare_live_migration (D), live_migrate (S),
    end_live_migration_at_source (S), receive_guest (D). When live_migrate or anything before it fails:
    take_back_at_source (S; only if the destination was ready) and take_back_at_destination (D).
    """

    # Checks

    def check_live_migration_destination(
        self,
        context: Any,
        instance: Any,
        source_node: Callable[[], Any],
        *,
        block_migration: bool | None,
        disk_over_commit: bool | None,
    ) -> Any:
        """Whether the guest could run on this host; answers the LiveMigrateData to begin with.

        `source_node` fetches the ComputeNode of the source when it is called. `block_migration` None: as
        the storage wants it; `disk_over_commit` None: disks are not counted. Raises the Invalid family or
        MigrationPreCheckError when it could not.
        """
        raise NotImplementedError

    def check_live_migration_source(self, context: Any, spec: GuestSpec, data: Any) -> Any:
        """Whether the guest could leave for where `data` comes from; answers `data`, filled in. Raises as
        check_live_migration_destination."""
        raise NotImplementedError

    def end_live_migration_check(self, context: Any, data: Any) -> None:
        """Remove what check_live_migration_destination put down for the other end to find."""

    def sees_shared_storage(self, context: Any, data: Mapping[str, Any]) -> bool:
        """Whether this host sees what the driver on another one has put down for it to find (`data` says
        what)."""
        raise NotImplementedError

    # The move

    def disks_to_send(self, context: Any, spec: GuestSpec, data: Any) -> str | None:
        """What the destination must know of the local disks to make room for them, as text of the
        drivers' own; None when nothing."""
        return None

    def prepare_live_migration(self, context: Any, spec: GuestSpec, disk: str | None, data: Any) -> Any:
        """Make everything ready for the guest to come: disks, volumes, interfaces; answers `data`, filled in.

        `disk` is what disks_to_send said. `spec.disks` is empty of local disks when nobody had to read
        them. On failure nothing of it is left.
        """
        raise NotImplementedError

    def live_migrate(self, context: Any, spec: GuestSpec, dest: str, data: Any, watch: Watch) -> None:
        """Move the running guest to the host `dest`, and return when it runs there and no more here.

        Raises LiveMigrationAborted after abort_live_migration, HypervisorUnavailable when nobody can tell
        where the guest is; after every other error it is here, whole, and can go on as before.
        """
        raise NotImplementedError

    def force_live_migration(self, instance: Any) -> None:
        """Bring a running `live_migrate` to its end, by whatever it takes.

        Raises NoActiveMigrationForInstance."""
        raise NotImplementedError

    def abort_live_migration(self, instance: Any) -> None:
        """Make a running `live_migrate` raise LiveMigrationAborted; raises NoActiveMigrationForInstance."""
        raise NotImplementedError

    def end_live_migration_at_source(
        self, context: Any, spec: GuestSpec, data: Any, *, clean_up: bool, destroy_disks: bool
    ) -> None:
        """The guest has left: unplug its interfaces (`spec.network_info` is how they are here), disconnect
        its volumes; with `clean_up` remove its files too, with `destroy_disks` also its local disks."""
        raise NotImplementedError

    def receive_guest(self, context: Any, spec: GuestSpec, *, block_migration: bool | None) -> None:
        """The guest has come: make it one of this host's for good."""
        raise NotImplementedError

    # Taking back

    def take_back_at_source(self, context: Any, spec: GuestSpec, data: Any) -> None:
        """The guest stays: undo what was changed about it when it was about to leave."""

    def take_back_at_destination(
        self, context: Any, spec: GuestSpec, data: Any, *, destroy_disks: bool
    ) -> None:
        """The guest does not come: remove what was made ready (`spec` names no volumes: they are
        disconnected already); with `destroy_disks` its local disks too. `data` None: all that is known is
        that its files are shared, and stay."""
        raise NotImplementedError
