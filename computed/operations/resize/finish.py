"""The third leg, on the destination: the disks are here, the guest is started."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from oslo_utils import timeutils

from computed import errors, objects
from computed.lib.undo import UndoStack, undo_on_error
from computed.states import MigrationStatus, VmState
from computed.steps import network, overtaken, resizing, shares, volumes
from computed.steps.announce import announced
from computed.steps.erring import erring
from computed.steps.failure_lines import leg
from computed.steps.guest import PARTS, image_meta_of, known_guest
from computed.steps.patience import insistently
from computed.steps.plugging import Plugging, awaiting_plugs
from computed.steps.power import power_state
from computed.steps.records import advance, set_migration_status

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)

_DISK_SIZES = ("root_gb", "swap", "ephemeral_gb")


@leg(
    "start at the destination",
    "the instance is this host's now: mend the cause and hard-reboot it, or delete it",
)
def finish_resize(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    disk_info: str | None,
    image: Mapping[str, Any],
    instance: Any,
    migration: Any,
    request_spec: Any = None,
) -> None:
    """Start the guest on its new host, in its new size; the owner may confirm or revert then.

    After a failure the instance is in ERROR here, without a claim on the source. A message that comes twice
    changes nothing.
    """
    try:
        with erring(host, instance, back_to=VmState.ACTIVE):
            finish = _Finish(host, context, instance, migration)
            if finish.begin():
                finish.run(disk_info, image, request_spec)
    except Exception:
        if overtaken.settle(host, context, instance, migration, is_made_here=True):
            raise
        # The instance is this host's, broken as it is, and nobody else's.
        resizing.try_bind(host, context, instance, migration)
        resizing.try_drop_allocation(host, context, instance, migration)
        raise
    finally:
        host.arrivals.end(instance.uuid)


class _Finish:
    """One instance that has come here."""

    def __init__(self, host: ComputeHost, context: Any, instance: Any, migration: Any) -> None:
        instance.load(*PARTS)
        self.host = host
        self.context = context
        self.instance = instance
        self.migration = migration
        # A leg that is done again after a restart finds the new flavor already.
        self.old_flavor = instance.old_flavor or instance.flavor
        self.is_resize = migration.old_instance_type_id != migration.new_instance_type_id

    def begin(self) -> bool:
        """Take the instance over, in its new size; False when somebody has done so before."""
        instance = self.instance
        instance.old_flavor = self.old_flavor
        if self.is_resize:
            resizing.take_flavor(instance, instance.new_flavor)
        instance.apply_migration_context()
        try:
            advance(self.host, instance, "resize_finish")
        except errors.UnexpectedDeletingTaskStateError:
            raise
        except errors.UnexpectedTaskStateError as error:
            LOG.info("Instance %s is not started, it is in other hands: %s", instance.uuid, error)
            return False
        return True

    def run(self, disk_info: str | None, image: Mapping[str, Any], request_spec: Any) -> None:
        """Everything else, up to the finished migration."""
        host, context, instance = self.host, self.context, self.instance
        bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(context, instance.uuid)
        bdms = resizing.adapt_swap(host, context, instance, bdms, old=self.old_flavor, new=instance.flavor)
        with awaiting_plugs(host, instance) as plugging:
            self._bind(request_spec)
            told = {"bdms": bdms, "network_info": network.cached(instance)}
            with announced(host, context, instance, "resize_finish", **told):
                resizing.connect_volumes(host, context, instance, bdms)
                with undo_on_error() as undo:
                    self._start(disk_info, image, known_guest(instance, bdms, self._shares(undo)), plugging)
                volumes.complete(host, context, instance, bdms)
                self._record()

    def _bind(self, request_spec: Any) -> None:
        """Bring the ports here; a leg that is done again after a restart is not told who serves them."""
        told = network.providers_of(request_spec)
        held = network.providers_held(self.host, self.context, self.instance)
        with network.cache_lock(self.host, self.instance):
            network_info = insistently(
                f"Binding the ports of instance {self.instance.uuid}",
                lambda: self.host.network.bind_to_host(
                    self.context,
                    self.instance,
                    host=self.host.name,
                    migration=self.migration,
                    providers=told or held,
                ),
                stopping=self.host.stopping,
            )
            network.remember(self.instance, network_info)

    def _shares(self, undo: UndoStack) -> list[Any]:
        """The file shares, mounted here; on the same host they still are."""
        if self.migration.source_compute == self.migration.dest_compute:
            return shares.of(self.host, self.context, self.instance)
        return shares.move_here(self.host, self.context, self.instance, undo)

    def _start(
        self, disk_info: str | None, image: Mapping[str, Any], guest: GuestSpec, plugging: Plugging
    ) -> None:
        host, context, instance = self.host, self.context, self.instance
        spec = replace(
            guest,
            image_meta=image_meta_of(image) if image else guest.image_meta,
            allocations=host.placement.get_allocations(context, instance.uuid)["allocations"],
            power_on=resizing.was(instance) != VmState.STOPPED,
        )
        try:
            host.driver.finish_migration(
                context,
                plugging.ordered(spec),
                self.migration,
                disk_info,
                resize_disks=self._is_other_size(),
            )
            plugging.wait()
        except Exception:
            if self.is_resize:
                # What the hypervisor has of it, if anything, is of the old size.
                resizing.take_flavor(instance, self.old_flavor)
            raise

    def _is_other_size(self) -> bool:
        new = self.instance.flavor
        return any(getattr(new, size) != getattr(self.old_flavor, size) for size in _DISK_SIZES)

    def _record(self) -> None:
        host, instance, migration = self.host, self.instance, self.migration
        set_migration_status(host, migration, MigrationStatus.FINISHED)
        advance(
            host,
            instance,
            "resize_done",
            launched_at=timeutils.utcnow(with_timezone=True),
            power_state=power_state(host, instance),
        )
        host.tracker.arrived(instance, instance.node, migration)
        host.scheduler.update_instance_info(self.context.elevated(), objects.InstanceList(objects=[instance]))
