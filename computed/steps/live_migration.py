"""What the legs of a live migration share: reading LiveMigrateData, and giving things back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from computed import errors, objects
from computed.objects.network_model import NetworkInfo
from computed.states import MigrationStatus
from computed.steps import network
from computed.steps.patience import insistently
from computed.steps.records import advance, set_migration_status

if TYPE_CHECKING:
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


_PAUSES_SECONDS: Final = (0.2, 1.0)
_EARLY_ATTEMPTS: Final = 20
_EARLY_PAUSE_SECONDS: Final = 0.05


def value_of(data: Any, name: str) -> Any:
    """A field of a LiveMigrateData; None where the other end's class has no such field or left it out."""
    return getattr(data, name) if data is not None and name in data else None


def clean_up_flags(data: Any) -> tuple[bool, bool]:
    """Whether the host that the guest is not on has something to clean up, and whether that means disks.

    Contract: nova 34 asks the destination for a rollback, and cleans the source, only when the first is
    true. Files on shared storage are the other host's too.
    """
    if data is None or data.obj_name() not in ("LibvirtLiveMigrateData", "HyperVLiveMigrateData"):
        return False, False
    is_shared_path = bool(value_of(data, "is_shared_instance_path"))
    is_shared_storage = bool(value_of(data, "is_shared_block_storage"))
    if data.obj_name() == "HyperVLiveMigrateData":
        return True, not is_shared_path
    has_more = (
        "target_mdevs" in data
        or value_of(data, "dst_numa_info") is not None
        or value_of(data, "vtpm_secret_uuid") is not None
    )
    return not is_shared_path or has_more, not (is_shared_path or is_shared_storage)


def vifs_at_source(data: Any, instance: Any) -> Any:
    """The interfaces as they are plugged at the source, whatever the destination made of them since."""
    vifs = value_of(data, "vifs")
    if not vifs:
        return network.cached(instance)
    return NetworkInfo([vif.source_vif for vif in vifs])


def read_bdms(context: Any, instance: Any, data: Any) -> Any:
    """The instance's block device mappings; none are read when the check at the source has said in `data`
    that there is no volume among them. Nobody attaches one to an instance that migrates."""
    if value_of(data, "old_vol_attachment_ids") == {}:
        return objects.BlockDeviceMappingList(objects=[])
    return objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)


def try_set_status(host: ComputeHost, migration: Any, status: MigrationStatus) -> None:
    """Record how far a migration is; that it cannot be is logged, for what it tells of has happened."""
    insist(
        host,
        f"migration {migration.uuid} is not recorded as {status}",
        migration.instance_uuid,
        lambda: set_migration_status(host, migration, status),
    )


def abort(host: ComputeHost, instance: Any, *, may_be_early: bool) -> None:
    """Tell the hypervisor, which may just be about to begin, to keep the guest; raises what the driver
    raises, NoActiveMigrationForInstance for one that does not leave."""
    for _ in range(_EARLY_ATTEMPTS if may_be_early else 0):
        try:
            host.driver.abort_live_migration(instance)
            return
        except errors.NoActiveMigrationForInstance:
            host.stopping.wait(_EARLY_PAUSE_SECONDS)
    host.driver.abort_live_migration(instance)


def insist(host: ComputeHost, complaint: str, instance_uuid: str, deed: Callable[[], object]) -> bool:
    """As `attempt`, a few times: for what would stay behind for good."""
    for pause_seconds in _PAUSES_SECONDS:
        if attempt(complaint, instance_uuid, deed):
            return True
        host.stopping.wait(pause_seconds)
    return attempt(complaint, instance_uuid, deed)


def attempt(complaint: str, instance_uuid: str, deed: Callable[[], object]) -> bool:
    """Do one part of a clean-up, no part of which may keep another from happening; True if it went well."""
    try:
        deed()
    except Exception as error:
        LOG.warning(
            "Live migration of instance %s: %s: %s: %s",
            instance_uuid,
            complaint,
            type(error).__name__,
            error,
            exc_info=LOG.isEnabledFor(logging.DEBUG),
        )
        return False
    return True


def give_back_destination(host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
    """The guest stays here: take the room it held at the destination, and its second bindings there."""
    insist(
        host,
        f"the source's allocations stay with migration {migration.uuid}",
        instance.uuid,
        lambda: host.placement.move_allocations(context, migration.uuid, instance.uuid),
    )
    take_ports_back(host, context, instance, migration.dest_compute)


def take_ports_back(host: ComputeHost, context: Any, instance: Any, at: str) -> None:
    """The guest does not go to that host: neither do its ports; what fails is logged."""
    insist(
        host,
        "the network still thinks that it migrates",
        instance.uuid,
        lambda: host.network.unmark_migrating(context, instance),
    )
    delete_bindings(host, context, instance, at)


def delete_bindings(host: ComputeHost, context: Any, instance: Any, at: str) -> None:
    """Delete the bindings to the host that the guest is not on; what fails is logged."""
    insist(
        host,
        f"its ports stay bound to host {at} too",
        instance.uuid,
        lambda: host.network.delete_bindings(context, instance, host=at),
    )


def end_task(host: ComputeHost, instance: Any) -> bool:
    """The instance is no longer migrating; False when it is in other hands, or deleted."""
    # The conductor has set the zone of the destination, to be saved there.
    instance.obj_reset_changes(["availability_zone"])
    instance.progress = 0
    in_other_hands = (errors.InstanceNotFound, errors.InstanceUpdateConflict)
    try:
        insistently(
            f"Ending the migration of instance {instance.uuid}",
            lambda: advance(host, instance, "live_migration_rollback"),
            stopping=host.stopping,
            final=in_other_hands,
        )
    except in_other_hands as error:
        LOG.info("Instance %s is in other hands after its migration: %s", instance.uuid, error)
        return False
    return True


def forget_allocations(host: ComputeHost, context: Any, consumers: Iterable[str]) -> None:
    """Placement holds nothing for these any more; what fails is logged."""
    for consumer in consumers:
        insist(
            host,
            f"allocations of consumer {consumer} stay",
            consumer,
            lambda consumer=consumer: host.placement.delete_allocations(context, consumer),  # type: ignore[misc]
        )
