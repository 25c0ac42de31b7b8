"""Moving a server to another host while it runs: the legs in the order they happen.

checks (destination, then source) → departure (source) → arrival (destination: before and after) → rollback
(both sides); control: abort and force.
"""

from computed.operations.live_migration.arrival import (
    drop_move_claim_at_destination,
    post_live_migration_at_destination,
    pre_live_migration,
    rollback_live_migration_at_destination,
)
from computed.operations.live_migration.checks import (
    check_can_live_migrate_destination,
    check_can_live_migrate_source,
    check_instance_shared_storage,
)
from computed.operations.live_migration.control import live_migration_abort, live_migration_force_complete
from computed.operations.live_migration.departure import live_migration

__all__ = [
    "check_can_live_migrate_destination",
    "check_can_live_migrate_source",
    "check_instance_shared_storage",
    "drop_move_claim_at_destination",
    "live_migration",
    "live_migration_abort",
    "live_migration_force_complete",
    "post_live_migration_at_destination",
    "pre_live_migration",
    "rollback_live_migration_at_destination",
]
