"""What a restart does about the instances of its host: each is brought back to a legal state."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from computed import objects
from computed.operations.recover import unfinished
from computed.operations.recover.departed import end_departures
from computed.operations.recover.evacuated import settle_evacuations
from computed.operations.recover.lane import Start, end_build, recover, wants_recovery
from computed.operations.recover.second_look import SecondLook
from computed.operations.recover.unclaimed import interrupted_builds
from computed.steps import interrupted_handovers, interrupted_resizes
from computed.steps.lifecycle import listen
from computed.steps.share_rules import drop_stale_rules

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost
    from computed.virt.specs import GuestState

LOG = logging.getLogger(__name__)

EXPECTED_ATTRS: Final = ("info_cache", "metadata", "system_metadata", "numa_topology", "flavor")
"""Contract: periodic_tasks.json, init_host_expected_attrs."""

PATIENCE_SECONDS: Final = 30.0
"""How long the start of the service waits for its instances; later ones are recovered while it serves."""

SECOND_LOOK_SECONDS: Final = 30.0
"""How long the other end of a resize may take to go on: a source that reads later that it is to begin finds
the resize ended, and after this time a source takes the turns that it seems to have missed."""


def init_host(host: ComputeHost, context: RequestContext) -> SecondLook:
    """Bring every instance of the host to a legal state (contract: periodic_tasks.json, init_host_order);
    returns what is to begin when the host serves.

    Asks the conductor a fixed number of times, and once or a few times more for each instance that is
    changed. When the hypervisor cannot be read, nothing is touched. Raises ConductorUnavailable.
    """
    instances = objects.InstanceList.get_by_host(context, host.name, expected_attrs=list(EXPECTED_ATTRS))
    listen(host)
    start = Start(host, context, SecondLook(host))
    try:
        _recover_all(start, list(instances))
        _drop_stale_rules(host, context)
    finally:
        if instances:
            # A host without instances may not be known to the schedulers yet.
            host.scheduler.update_instance_info(context.elevated(), instances)
    return start.second_look


def _drop_stale_rules(host: ComputeHost, context: RequestContext) -> None:
    try:
        drop_stale_rules(host, context.elevated())
    except Exception:
        LOG.exception("Stale rules of shares could not be looked for; the periodic task will")


def _recover_all(start: Start, instances: list[Any]) -> None:
    host = start.host
    try:
        host.driver.adopt_guests(instances)
        guests: Mapping[str, GuestState] = host.driver.states()
    except Exception as error:
        LOG.error("The hypervisor cannot be read, so no instance is recovered: %s", error)
        return
    evacuated = settle_evacuations(start)
    for instance in instances:
        if instance.uuid in evacuated:
            continue
        _start_lane(start, instance, guests)
    moves = unfinished.find(host, start.context)
    end_departures(start, moves.departed)
    _settle_resizes(start, moves)
    _end_lost_builds(start, evacuated.union(instance.uuid for instance in instances))
    is_done = host.lanes.wait_idle(PATIENCE_SECONDS)
    start.is_over.set()
    if not is_done:
        LOG.warning(
            "%d instances are not recovered after %d s; that goes on while this compute serves",
            len(host.lanes),
            PATIENCE_SECONDS,
        )


def _settle_resizes(start: Start, moves: unfinished.Unfinished) -> None:
    """Go on with the confirmations that were interrupted here, on the source.

    Other resizes are looked at a second time, when the other end has had time to go on: those that were
    interrupted here, on the destination, are ended unless their source turns out to know of them, and those
    that stand still at a turn of this host, their source, go on.
    """
    for migration in moves.confirming:
        work = partial(interrupted_resizes.confirm, start.host, start.context, migration)
        start.host.lanes.start(f"confirmation-{migration.instance_uuid}", work)
    if moves.claimed or moves.handed_over:
        timer = threading.Timer(SECOND_LOOK_SECONDS, _look_at_resizes, (start, moves))
        timer.daemon = True
        timer.start()


def _look_at_resizes(start: Start, moves: unfinished.Unfinished) -> None:
    if start.host.stopping.is_set():
        return
    for migration in moves.claimed:
        work = partial(interrupted_resizes.end_claimed, start.host, start.context, migration)
        start.host.lanes.start(f"claim-{migration.instance_uuid}", work)
    if moves.handed_over:
        work = partial(_go_on_standing, start, moves.handed_over)
        start.host.lanes.start("handovers", work)


def _go_on_standing(start: Start, migrations: list[Any]) -> None:
    start.context.update_store()
    for migration, instance in interrupted_handovers.standing(start.host, start.context, migrations):
        work = partial(interrupted_handovers.go_on, start.host, start.context, migration, instance)
        start.host.lanes.start(f"handover-{instance.uuid}", work)


def _end_lost_builds(start: Start, known: frozenset[str]) -> None:
    """End the builds whose orders were lost before this host had accepted them, as soon as that is known."""
    for instance in interrupted_builds(start.host, start.context, known):
        start.second_look.add(instance.uuid, instance.uuid, partial(end_build, start, instance))


def _start_lane(start: Start, instance: Any, guests: Mapping[str, GuestState]) -> None:
    try:
        guest = guests.get(instance.uuid)
        power_state = None if guest is None else guest.power_state
        if wants_recovery(start.host, instance, power_state):
            start.host.lanes.start(instance.uuid, partial(recover, start, instance, power_state))
    except Exception:
        LOG.exception("Instance %s cannot be recovered and is left as it is", instance.uuid)
