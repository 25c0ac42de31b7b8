"""The owner likes the new host or size: the source removes what it has kept."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.states import MigrationStatus, PowerState, VmState
from computed.steps import network, resizing, shares
from computed.steps.announce import announced
from computed.steps.erring import erring
from computed.steps.failure_lines import leg
from computed.steps.guest import PARTS, doomed_guest
from computed.steps.patience import insistently
from computed.steps.records import advance, set_migration_status
from computed.steps.removal import publish

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_CONFIRMABLE = (MigrationStatus.FINISHED, MigrationStatus.CONFIRMING)


@leg(
    "confirmation at the source",
    "the instance is at the destination: reset its state, and remove what is left of it here",
)
def confirm_resize(host: ComputeHost, context: RequestContext, *, instance: Any, migration: Any) -> None:
    """Remove the guest from its old host and give up what it held there; changes nothing the second time.

    A failure leaves the instance in ERROR on its new host, with nothing allocated here.
    """
    if migration.status not in _CONFIRMABLE:
        LOG.info("Migration %s is %s and not to be confirmed", migration.uuid, migration.status)
        return
    known = instance
    try:
        with erring(host, instance, back_to=VmState.ACTIVE):
            fresh = _read(context, instance.uuid)
        if fresh is not None and _is_resized(fresh, migration):
            known = fresh
            with erring(host, fresh, back_to=VmState.ACTIVE):
                _confirm(host, context, fresh, migration)
            return
    except Exception:
        # Whatever is left here, the instance lives on its new host.
        resizing.try_drop_allocation(host, context, known, migration)
        resizing.save_forgotten(host, known)
        raise
    is_broken = fresh is None or fresh.vm_state == VmState.ERROR
    resizing.end_confirmation(host, context, migration, is_broken=is_broken)


def _read(context: Any, uuid: str) -> Any:
    """The instance as it is now, or None when it is gone."""
    attributes = [*PARTS, "migration_context", "numa_topology"]
    try:
        return objects.Instance.get_by_uuid(context, uuid, expected_attrs=attributes)
    except errors.InstanceNotFound:
        LOG.info("Instance %s is gone, its resize needs no confirmation", uuid)
        return None


def _is_resized(instance: Any, migration: Any) -> bool:
    """Whether the instance still waits for the end of this migration."""
    known = instance.migration_context
    if instance.vm_state == VmState.RESIZED and (known is None or known.migration_id == migration.id):
        return True
    LOG.info("Instance %s is %s: migration %s is over", instance.uuid, instance.vm_state, migration.uuid)
    return False


def _confirm(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    is_elsewhere = migration.dest_compute != host.name
    # Contract: stock tells of the addresses when it is done, not before.
    addresses = {"network_info": network.cached(instance)}
    with announced(host, context, instance, "resize_confirm", at_end=addresses):
        host.driver.confirm_migration(context, doomed_guest(instance, ()), migration)
        shares.leave(host, context, instance, migration)
        # Before the instance shows no sign of the resize any more: who deletes it would not see to this.
        resizing.drop_allocation(host, context, instance, migration)
        is_off = instance.power_state == PowerState.SHUTDOWN
        resizing.forget(instance)
        advance(
            host,
            instance,
            "confirm_done",
            vm_state=VmState.STOPPED if is_off else VmState.ACTIVE,
            migration_context=None,
        )
        # Not earlier, or an audit would take the place again for an instance that is resized.
        if is_elsewhere:
            host.tracker.release(instance)
        else:
            host.tracker.stays(instance, migration.dest_node)
        _record(host, migration)
        publish(host, context, migration.source_node)
    if is_elsewhere:
        host.scheduler.delete_instance_info(context.elevated(), instance.uuid)


def _record(host: ComputeHost, migration: Any) -> None:
    """Only when all is given back: a restart goes on with what is still being confirmed, and nothing else."""
    try:
        insistently(
            f"Recording migration {migration.uuid} as confirmed",
            lambda: set_migration_status(host, migration, MigrationStatus.CONFIRMED),
            stopping=host.stopping,
            final=(errors.MigrationNotFound,),
        )
    except errors.MigrationNotFound:
        LOG.info("Migration %s went with its instance", migration.uuid)
    except Exception as error:
        # The instance lives on, perhaps in use: the next start records what is still being confirmed.
        LOG.warning("Migration %s is not recorded as confirmed: %s", migration.uuid, error)
