"""Unshelving a server: it is built again on this host, of its image or its volumes, with its own ports."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import timeutils

from computed import errors, objects
from computed.lib.undo import UndoStack
from computed.states import TaskState, VmState
from computed.steps import accelerators, block_devices, network, overtaken, shelf_marks, shelving, volumes
from computed.steps.announce import announced
from computed.steps.claiming import give_place_back, take_place
from computed.steps.guest import PARTS, FirstBoot, doomed_guest, image_meta_of, new_guest
from computed.steps.patience import patiently
from computed.steps.plugging import awaiting_plugs
from computed.steps.power import power_state
from computed.steps.records import advance, forget_host, set_error
from computed.steps.removal import publish

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

_GUEST: Final = "take the guest away"


def unshelve_instance(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    image: Mapping[str, Any] | None,
    filter_properties: Mapping[str, Any] | None,
    node: str | None,
    request_spec: Any,
    accel_uuids: Sequence[str] | None,
) -> None:
    """Build an offloaded server here; `image` is None for one that lives on a volume.

    When that fails the server is offloaded as before, with its image, and holds nothing on this host.
    """
    nodename = node or min(host.tracker.nodenames(), default="")
    limits = (filter_properties or {}).get("limits") or {}
    Unshelving(host, context, instance, image, accel_uuids or ()).run(nodename, limits, request_spec)


class Unshelving:
    """One unshelving: its steps in order, each with its undo."""

    def __init__(
        self,
        host: ComputeHost,
        context: RequestContext,
        instance: Any,
        image: Mapping[str, Any] | None,
        accel_uuids: Sequence[str],
    ) -> None:
        self.accel_uuids = accel_uuids
        self.host = host
        self.context = context
        self.instance = instance
        self.image = image
        self.bdms: Any = ()
        self.undo = UndoStack()
        self.has_begun = False
        self.claim: Any = None

    def run(self, nodename: str, limits: Any, request_spec: Any) -> None:
        """Unshelve; on failure take everything back."""
        try:
            self.instance.load(*PARTS)
            self.bdms = objects.BlockDeviceMappingList.get_by_instance_uuid(self.context, self.instance.uuid)
        except Exception:
            self._fail(nodename)
            raise
        with announced(self.host, self.context, self.instance, "unshelve", bdms=self.bdms):
            try:
                network_info = self._get_guest(nodename, limits, request_spec)
                image_id = self._record(network_info)
            except Exception:
                self._fail(nodename)
                raise
            self.undo.commit()
            publish(self.host, self.context, nodename)
            # Only now that the record speaks of a running server can its image be done without.
            if self.image is not None:
                shelf_marks.remove_image(self.host, self.context, image_id or self.image["id"])
            records = objects.InstanceList(objects=[self.instance])
            self.host.scheduler.update_instance_info(self.context.elevated(), records)

    def _get_guest(self, nodename: str, limits: Any, request_spec: Any) -> Any:
        """All the way to a running guest; returns its network. The claim is not settled yet."""
        host, context, instance = self.host, self.context, self.instance
        image_meta = image_meta_of(self.image) if self.image else instance.image_meta
        allocations = host.placement.get_allocations(context, instance.uuid)["allocations"]
        self.claim = self._claim(nodename, allocations, limits)
        accelerated = accelerators.bound(host, context, instance, self.accel_uuids)
        block_devices.name_nameless(host, instance, self.bdms)
        volumes.prepare(host, context, instance, self.bdms, self.undo)
        with awaiting_plugs(host, instance) as plugging:
            providers = network.providers_of(request_spec)
            self.undo.push("unbind the ports", lambda: host.network.unbind(context.elevated(), instance))
            network_info = host.network.bind_to_host(context, instance, host=host.name, providers=providers)
            first = FirstBoot(allocations, accelerators=accelerated)
            spec = new_guest(instance, image_meta, network_info, self.bdms, first)
            self.undo.push(
                _GUEST,
                lambda: host.driver.destroy(context, doomed_guest(instance, self.bdms)),
                is_wall=True,
            )
            spec = plugging.ordered(replace(spec, disks=self._disks(spec.disks)))
            host.driver.spawn(context, spec)
            plugging.wait()
        volumes.complete(host, context, instance, self.bdms)
        return network_info

    def _claim(self, nodename: str, allocations: Mapping[str, Any], limits: Any) -> Any:
        """Take the instance's place on the node, in memory first, then in its record."""
        claim = take_place(self.host, self.instance, nodename, allocations, limits, self.bdms)
        self.undo.push("give the claim back", lambda: give_place_back(self.instance, claim))
        offloaded = (VmState.SHELVED_OFFLOADED,)
        advance(self.host, self.instance, shelving.UNSHELVE, vm_states=offloaded)
        self.has_begun = True
        return claim

    def _disks(self, disks: tuple[Any, ...]) -> tuple[Any, ...]:
        """The disks as they were, but that the root disk is made of the image of the shelving."""
        if self.image is None:
            return disks
        image_id = self.image["id"]
        return tuple(
            replace(disk, image_id=image_id) if disk.boot_index == 0 and disk.source == "image" else disk
            for disk in disks
        )

    def _record(self, network_info: Any) -> str | None:
        """Save the server as running; returns the image that it was shelved with."""
        image_id = shelf_marks.unmark(self.instance)
        network.remember(self.instance, network_info)
        try:
            advance(
                self.host,
                self.instance,
                "unshelve_done",
                power_state=power_state(self.host, self.instance),
                launched_at=timeutils.utcnow(with_timezone=True),
            )
        except (errors.UnexpectedTaskStateError, errors.ConductorUnavailable):
            # Its record names this host: a deletion that has begun finds the guest here, and so does a
            # restart when nobody knows what the record says.
            self.undo.commit()
            self.claim.settle()
            raise
        self.claim.settle()
        return image_id

    def _fail(self, nodename: str) -> None:
        """Take back what was done. The allocations were made for this host, so they go too, unless the order
        came too late, and they are those of a server that runs, or the guest could not be taken away."""
        leftovers = [what for what, _ in self.undo.rollback()]
        publish(self.host, self.context, nodename)
        if _GUEST in leftovers:
            self._stay_in_error()
            return
        if not (self.has_begun or self._is_fresh()):
            if overtaken.is_deleted(self.context, self.instance) is not False:
                self._give_up_accelerators()
            return
        self._give_up_accelerators()
        try:
            self.host.placement.delete_allocations(self.context, self.instance.uuid)
        except errors.NovaException as failure:
            LOG.warning("Instance %s keeps its allocations: %s", self.instance.uuid, failure)
        forget_host(self.instance)

    def _give_up_accelerators(self) -> None:
        """The conductor has ordered them for this host, also when we never came to ask for them."""
        if self.accel_uuids:
            accelerators.release(self.host, self.context, self.instance, self.accel_uuids)

    def _is_fresh(self) -> bool:
        """Whether the record still waits for an unshelving; if that cannot be read, it may be elsewhere."""
        uuid = self.instance.uuid
        try:
            # The conductor may be away still for what has failed: then nobody else gives anything back.
            record = patiently(
                f"Reading instance {uuid}",
                lambda is_repeated: objects.Instance.get_by_uuid(self.context, uuid, expected_attrs=[]),
                stopping=self.host.stopping,
            )
        except (errors.NovaException, errors.ConductorUnavailable):
            return False
        return bool(
            record.task_state == TaskState.UNSHELVING
            and record.vm_state == VmState.SHELVED_OFFLOADED
            and record.host is None
        )

    def _stay_in_error(self) -> None:
        """A guest that cannot be taken away is still counted here, and its owner can delete it."""
        LOG.error("Instance %s is left on this host with what it holds: delete it", self.instance.uuid)
        self.undo.commit()
        self.claim.settle()
        set_error(self.host, self.instance, clear_task_state=True)
