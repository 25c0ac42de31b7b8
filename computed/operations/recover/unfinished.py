"""The moves that this host may have left undone when it went down."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from computed import objects
from computed.states import MigrationStatus, MigrationType
from computed.steps import handover, interrupted_handovers
from computed.steps.interrupted_resizes import RESIZE_TYPES

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

_LOOKED_FOR: Final = [
    str(status)
    for status in (
        MigrationStatus.CONFIRMING,
        MigrationStatus.PRE_MIGRATING,
        *interrupted_handovers.STATUSES,
        *handover.ON_ITS_WAY,
    )
]


@dataclass(frozen=True)
class Unfinished:
    """Migrations in which it may be this host's turn, by what it has to do in them."""

    confirming: list[Any]
    """Resizes: their confirmation was asked of this host, their source."""
    claimed: list[Any]
    """Resizes: this host, their destination, had claimed their place when it went down."""
    handed_over: list[Any]
    """Resizes: this host, their source, may have been about to tell their destination, or been told by it."""
    departed: list[Any]
    """Live migrations: the guest was on its way from this host."""


def find(host: ComputeHost, context: RequestContext) -> Unfinished:
    """All of them. One conductor call, which cannot ask for several types."""
    filters = {"host": host.name, "status": _LOOKED_FOR}
    found = objects.MigrationList.get_by_filters(context.elevated(), filters)
    # What is moved between cells is the conductor's to see to.
    resizes = [each for each in found if each.migration_type in RESIZE_TYPES and not each.cross_cell_move]
    from_here = [each for each in resizes if each.source_compute == host.name]
    to_here = [each for each in resizes if each.dest_compute == host.name]
    to_others = [each for each in from_here if each.dest_compute != host.name]
    live = [each for each in found if each.migration_type == MigrationType.LIVE_MIGRATION]
    return Unfinished(
        confirming=_of(from_here, MigrationStatus.CONFIRMING),
        claimed=_of(to_here, MigrationStatus.PRE_MIGRATING),
        handed_over=_of(to_others, *interrupted_handovers.STATUSES),
        departed=_of((each for each in live if each.source_compute == host.name), *handover.ON_ITS_WAY),
    )


def _of(migrations: Iterable[Any], *statuses: MigrationStatus) -> list[Any]:
    return [migration for migration in migrations if migration.status in statuses]
