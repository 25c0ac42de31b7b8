"""What a driver does when a guest moves to another host, or becomes another size, while it is off."""

from __future__ import annotations

from typing import Any

from computed.virt.specs import GuestSpec


class MigrationPort:
    """Resize and cold migration, in the order of the calls.

    The source: migrate_disk_and_power_off. The destination: finish_migration. Then the source again, with
    confirm_migration or, after the destination's `destroy`, finish_revert_migration. Source and destination
    may be the same host. `migration` is an `objects.Migration`. A driver that cannot raises
    NotImplementedError, or InstanceFaultRollback around another failure when nothing has happened to the
    guest.
    """

    def has_volumes(self, instance: Any) -> bool:
        """Whether volumes are attached to the guest. True if that is not known for certain: then the
        records are asked."""
        return True

    def migrate_disk_and_power_off(
        self, context: Any, spec: GuestSpec, migration: Any, flavor: Any, *, timeout_seconds: int
    ) -> str | None:
        """Stop the guest, politely for that long, and send its local disks to `migration.dest_host`.

        What is here is kept until the move is confirmed or reverted. Returns what the destination's driver
        must know of the disks, as text of the drivers' own. Raises InstanceFaultRollback when the guest
        goes on as before, for example because its disks do not fit the new `flavor`.
        """
        raise NotImplementedError

    def finish_migration(
        self, context: Any, spec: GuestSpec, migration: Any, disk_info: str | None, *, resize_disks: bool
    ) -> None:
        """Make the guest on the disks that were sent, made larger if so told; started if `spec.power_on`.

        After a restart it may be asked for again: `disk_info` is None then, and the guest may be there.
        """
        raise NotImplementedError

    def confirm_migration(self, context: Any, spec: GuestSpec, migration: Any) -> None:
        """Remove what the source has kept; what is not there is no error."""
        raise NotImplementedError

    def finish_revert_migration(self, context: Any, spec: GuestSpec, migration: Any) -> None:
        """Make the guest again of what the source has kept; started if `spec.power_on`.

        After a restart it may be asked for again, when the guest is there already; or without a migration,
        when a `migrate_disk_and_power_off` was interrupted.
        """
        raise NotImplementedError
