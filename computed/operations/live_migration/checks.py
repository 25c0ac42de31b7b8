"""Before a live migration: may this guest leave, may it come here?"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.steps import network
from computed.steps.group_policy import check_own_group
from computed.steps.guest import known_guest
from computed.steps.volumes import volume_bdms

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def check_can_live_migrate_destination(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    block_migration: bool | None,
    disk_over_commit: bool | None,
    migration: Any,
    limits: Any,
) -> Any:
    """Whether this host could take the running guest; asks the source too. Answers LiveMigrateData.

    Nothing is held afterwards: the conductor may go on to another host without telling. Raises
    MigrationPreCheckError or another of the Invalid family, upon which it does.
    """
    if instance.host == host.name:
        raise errors.UnableToMigrateToSelf(instance_id=instance.uuid, host=host.name)
    try:
        check_own_group(host, context, instance)
    except errors.GroupAffinityViolation as error:
        raise errors.MigrationPreCheckError(reason=error.format_message()) from error
    _check_room(host, instance, migration, limits)
    data = host.driver.check_live_migration_destination(
        context,
        instance,
        _source_node(context, instance),
        block_migration=block_migration,
        disk_over_commit=disk_over_commit,
    )
    try:
        answer = _ask_source(host, context, instance, data)
        answer.pci_dev_map_src_dst = {}
        if "vifs" not in answer and host.network.supports_multiple_bindings(context):
            answer.vifs = [objects.VIFMigrateData.of_source(vif) for vif in network.cached(instance)]
    finally:
        host.driver.end_live_migration_check(context, data)
    return answer


def _check_room(host: ComputeHost, instance: Any, migration: Any, limits: Any) -> None:
    """Claim and give back at once: the claim that counts is that of the migration itself."""
    nodename = node_for(host, migration)
    try:
        host.tracker.live_migration_claim(instance, nodename, migration, limits=limits).abort()
    except errors.ComputeResourcesUnavailable as error:
        raise errors.MigrationPreCheckError(reason=error.format_message()) from error


def node_for(host: ComputeHost, migration: Any) -> str:
    """The node of this host that a guest is to come to."""
    nodes = host.tracker.nodenames()
    wanted = None if migration is None else migration.dest_node
    return wanted if wanted in nodes else min(nodes, default="")


def _source_node(context: Any, instance: Any) -> Callable[[], Any]:
    def fetch() -> Any:
        return objects.ComputeNode.get_by_host_and_nodename(context, instance.host, instance.node)

    return fetch


def _ask_source(host: ComputeHost, context: Any, instance: Any, data: Any) -> Any:
    try:
        return host.computes.check_can_live_migrate_source(
            context, instance.host, instance=instance, dest_check_data=data
        )
    except Exception as error:
        raise errors.MigrationPreCheckError(
            reason=f"host {instance.host} refuses to let it leave for {host.name}: "
            f"{type(error).__name__}: {errors.fault_message(error)}"
        ) from error


def check_can_live_migrate_source(
    host: ComputeHost, context: RequestContext, *, instance: Any, dest_check_data: Any
) -> Any:
    """Whether the guest could leave for the host that `dest_check_data` comes from; answers it, filled in.

    `old_vol_attachment_ids` tells which volumes the guest has now: the migration need not read the
    block device mappings of an instance that has none. Raises what the driver raises.
    """
    bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
    root = next((bdm for bdm in bdms if bdm.is_root), None)
    dest_check_data.is_volume_backed = bool(root is not None and root.is_volume)
    data = host.driver.check_live_migration_source(context, known_guest(instance, bdms), dest_check_data)
    data.old_vol_attachment_ids = {
        bdm.volume_id: bdm.attachment_id or "" for bdm in volume_bdms(bdms) if bdm.volume_id
    }
    return data


def check_instance_shared_storage(
    host: ComputeHost, context: RequestContext, *, data: Mapping[str, Any]
) -> bool:
    """Whether this host sees what the driver of another has put on what may be storage that both share.

    Raises NotImplementedError with a driver that knows no shared storage."""
    return host.driver.sees_shared_storage(context, data)
