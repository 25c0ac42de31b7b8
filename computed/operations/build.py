"""Building a server: claim, disks, network, guest; and what is done when one of them fails."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from oslo_utils import timeutils

from computed import errors, objects
from computed.lib.stopwatch import Stopwatch
from computed.lib.undo import UndoStack
from computed.states import EDGES, Edge, TaskState, VmState
from computed.steps import accelerators, block_devices, network, volumes
from computed.steps.announce import announce, announced
from computed.steps.build_order import BuildOrder
from computed.steps.build_verdict import Stage, Verdict
from computed.steps.claiming import give_place_back, take_place
from computed.steps.failed_build import FailedBuild
from computed.steps.group_policy import check_group_policy, group_hint
from computed.steps.guest import (
    FirstBoot,
    decode_files,
    doomed_guest,
    image_meta_of,
    new_guest,
    settle_config_drive,
)
from computed.steps.plugging import Plugging, awaiting_plugs
from computed.steps.power import power_state
from computed.steps.records import advance
from computed.steps.removal import publish

if TYPE_CHECKING:
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)

# The conductor must find what it finds before a build, and the record walks two edges in one save. A server
# that has been built is no more in one of these states: an order that comes twice ends here, also in a
# process that has not had it the first time. ERROR is what a restart makes of one whose order was still
# waiting, but also what becomes of a build that failed: that holds nothing in placement any more.
_BEGIN = Edge(EDGES["build"].expected, TaskState.NETWORKING, VmState.BUILDING)
_BEGIN_FROM = (VmState.BUILDING, VmState.ERROR)
_BEGIN_WITHOUT_PLACE = (VmState.BUILDING,)
# Stock expects nothing here, and so takes back the mark of a deletion that has begun meanwhile.
_BLOCK_DEVICES = replace(EDGES["build_block_devices"], expected=(TaskState.NETWORKING,))
_GUEST: Final = "take the guest away"


def build_and_run_instance(  # noqa: PLR0913 (the arguments of the RPC)
    host: ComputeHost,
    context: RequestContext,
    *,
    instance: Any,
    image: Mapping[str, Any],
    request_spec: Any,
    filter_properties: dict[str, Any] | None,
    accel_uuids: Sequence[str] | None,
    admin_password: str | None = None,
    injected_files: Sequence[Sequence[str]] | None = None,
    requested_networks: Any = None,
    security_groups: Sequence[str] | None = None,
    block_device_mapping: Any = None,
    node: str | None = None,
    limits: Any = None,
    host_list: Any = None,
) -> None:
    """Build and start a server on this host; see compute_rpc.json.

    Nothing is raised for a build that fails: the instance ends in ERROR with a fault, goes back to the
    conductor for another host, or is gone; in each case nothing of it is left here. An order that comes twice
    changes nothing, whatever came of it the first time.
    """
    order = BuildOrder(
        instance=instance,
        image=image or {},
        request_spec=request_spec,
        filter_properties=filter_properties or {},
        accel_uuids=accel_uuids or (),
        admin_password=admin_password,
        injected_files=injected_files or (),
        requested_networks=requested_networks,
        security_groups=security_groups or (),
        bdms=objects.BlockDeviceMappingList(objects=[])
        if block_device_mapping is None
        else block_device_mapping,
        nodename=node or min(host.tracker.nodenames(), default=""),
        limits=limits,
        host_list=host_list,
    )
    if not host.ordered.add(order.key):
        LOG.info("The build of instance %s was ordered again", instance.uuid)
        return
    with host.build_slots:
        Build(host, context, order).run()


class Build:
    """One build: its steps in order, each with its undo."""

    def __init__(self, host: ComputeHost, context: RequestContext, order: BuildOrder) -> None:
        self.host = host
        self.context = context
        self.order = order
        self.instance = order.instance
        self.undo = UndoStack()
        self.claim: Any = None
        self._begin_from: tuple[VmState, ...] = _BEGIN_FROM
        self._may_take_guest_away = True
        self._stage = Stage.BEGIN
        self._watch = Stopwatch(Stage.BEGIN.name.lower())

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        return self._stage

    @stage.setter
    def stage(self, stage: Stage) -> None:
        self._stage = stage
        self._watch.enter(stage.name.lower())

    def run(self) -> None:
        """Build; on failure take everything back and do what the verdict says."""
        self.instance.vm_state = VmState.BUILDING
        self.instance.task_state = None
        self._announce("start", extra={"image_name": self.order.image.get("name")})
        try:
            network_info = self._steps()
        except Exception as error:
            self._fail(error)
            return
        except BaseException:
            # The thread is being ended: no verdict, but nothing of the build may stay held.
            self.undo.rollback()
            raise
        self.undo.commit()
        self.host.tracker.build_succeeded(self.order.nodename)
        LOG.info("Instance %s built in %s", self.instance.uuid, self._watch)
        records = objects.InstanceList(objects=[self.instance])
        self.host.scheduler.update_instance_info(self.context.elevated(), records)
        self._announce("end", network_info=network_info, extra={"message": "Success"})

    def _fail(self, error: Exception) -> None:
        """Take back what was done, and let the failure have its end."""
        failed = FailedBuild(self.host, self.context, self.order)
        leftovers = [what for what, _ in self.undo.rollback()]
        self._announce("error", exception=error)
        verdict = failed.verdict(error, self.stage)
        if _GUEST in leftovers and verdict is not Verdict.GONE:
            # It may run: nobody else may have its ports, its volumes and its place.
            self.undo.commit()
            self.claim.settle()
            failed.stay(error, self.stage)
            return
        leftovers += [what for what, _ in self.undo.rollback()]
        failed.settle(error, self.stage, verdict, is_clean=not leftovers)

    def _steps(self) -> Any:
        """The whole way to a running guest; returns its network."""
        self._refuse_the_impossible()
        files = decode_files(self.order.injected_files)
        image_meta = image_meta_of(self.order.image)
        allocations = self.host.placement.get_allocations(self.context, self.instance.uuid)["allocations"]
        self._refuse_the_old(allocations)
        self.claim = self._claim(allocations)
        accelerated = self._get_accelerators()
        self._name_disks(image_meta)
        with awaiting_plugs(self.host, self.instance) as plugging:
            network_info = self._get_network()
            volumes.prepare(self.host, self.context, self.instance, self.order.bdms, self.undo)
            self.stage = Stage.SPAWN
            advance(self.host, self.instance, "build_spawning")
            publish(self.host, self.context, self.order.nodename)
            first = FirstBoot(allocations, files, self.order.admin_password, accelerated)
            self._spawn(image_meta, network_info, first, plugging)
        self._finish(image_meta, network_info)
        self.claim.settle()
        return network_info

    def _refuse_the_impossible(self) -> None:
        can = self.host.driver.capabilities
        requests = [*(self.order.requested_networks or ()), *self.order.bdms]
        if any(request.tag for request in requests) and not can["supports_device_tagging"]:
            self._abort("this host cannot tag devices")
        if self.instance.trusted_certs and not can["supports_trusted_certs"]:
            self._abort("this host cannot check the signatures of images")
        if any(request.arq_uuid for request in self.order.requested_networks or ()):
            self._abort("this host cannot plug a port into an accelerator")

    def _refuse_the_old(self, allocations: Mapping[str, Any]) -> None:
        """Raise InstanceUpdateConflict for an order that a process before this one has carried out, as far as
        can be told without the record, and let the record be asked for the rest."""
        actual = None
        if not allocations:
            self._begin_from = _BEGIN_WITHOUT_PLACE
        elif not self._is_placed_here(allocations):
            actual = "allocations on other nodes only"
        try:
            self.host.driver.state(self.instance)
            actual = "a guest"
        except errors.InstanceNotFound:
            pass
        except errors.HypervisorUnavailable as error:
            LOG.warning("Instance %s: whether it has a guest is not known: %s", self.instance.uuid, error)
            self._begin_from = _BEGIN_WITHOUT_PLACE
        if actual is not None:
            raise errors.InstanceUpdateConflict(
                instance_uuid=self.instance.uuid, expected="an order to build", actual=actual
            )

    def _is_placed_here(self, allocations: Mapping[str, Any]) -> bool:
        """Whether some of it is held of this node, or of what is below it; also when that cannot be told."""
        try:
            root = self.host.tracker.compute_node(self.order.nodename).uuid
            if root in allocations:
                return True
            tree = self.host.placement.providers_in_tree(self.context, root)
        except errors.NovaException as error:
            LOG.info("Instance %s: which node it is for cannot be told: %s", self.instance.uuid, error)
            return True
        return not tree or any(provider.uuid in allocations for provider in tree)

    def _abort(self, reason: str) -> None:
        raise errors.BuildAbortException(instance_uuid=self.instance.uuid, reason=reason)

    def _claim(self, allocations: Mapping[str, Any]) -> Any:
        """Take the instance's place on the node, in memory first, then in its record."""
        self.stage = Stage.CLAIM
        instance, order = self.instance, self.order
        claim = take_place(self.host, instance, order.nodename, allocations, order.limits, order.bdms)
        self.undo.push("give the claim back", lambda: give_place_back(instance, claim))
        instance.system_metadata["boot_roles"] = ",".join(self.context.roles)
        self.stage = Stage.BEGIN
        advance(self.host, instance, _BEGIN, vm_states=self._begin_from)
        self.stage = Stage.CLAIM
        hint = group_hint(order.request_spec, order.filter_properties)
        check_group_policy(self.host, self.context, instance, hint)
        return claim

    def _get_accelerators(self) -> Any:
        """Wait for the accelerators that the conductor has begun to bind to this host."""
        uuids = self.order.accel_uuids
        try:
            return accelerators.bound(self.host, self.context, self.instance, uuids)
        except Exception as error:
            reason = f"its accelerators were not bound: {errors.fault_message(error)}"
            raise errors.BuildAbortException(instance_uuid=self.instance.uuid, reason=reason) from error

    def _name_disks(self, image_meta: Any) -> None:
        self.stage = Stage.DISKS
        instance, bdms, driver = self.instance, self.order.bdms, self.host.driver
        chosen = driver.device_names(instance, image_meta, block_devices.nameless_disks(instance, bdms))
        if chosen is not None:
            named = block_devices.take_names(instance, bdms, chosen)
        else:
            root = next((bdm for bdm in bdms if bdm.is_root), None)
            prefix = driver.disk_name_prefix(image_meta, root.disk_bus if root else None)
            most = self.host.conf.compute.max_disk_devices_to_attach
            named = block_devices.name_devices(instance, bdms, prefix, most)
        block_devices.save_names(self.host, named)

    def _get_network(self) -> Any:
        """Get the ports and record them, together with the next state."""
        self.stage = Stage.NETWORK
        with network.cache_lock(self.host, self.instance):
            network_info = network.allocate(self.host, self.context, self.order, self.undo)
            network.remember(self.instance, network_info)
            self.stage = Stage.DISKS
            advance(self.host, self.instance, _BLOCK_DEVICES)
        return network_info

    def _spawn(self, image_meta: Any, network_info: Any, first: FirstBoot, plugging: Plugging) -> None:
        spec = new_guest(self.instance, image_meta, network_info, self.order.bdms, first)
        self.undo.push(_GUEST, self._take_guest_away, is_wall=True)
        # Others may build while this one waits for an image that somebody else fetches already.
        spec = replace(plugging.ordered(spec), while_idle=self.host.build_slots.lent)
        try:
            self.host.driver.spawn(self.context, spec)
        except errors.InstanceExists:
            # That one is not of this build.
            self._may_take_guest_away = False
            raise
        plugging.wait()
        volumes.complete(self.host, self.context, self.instance, self.order.bdms)

    def _take_guest_away(self) -> None:
        if not self._may_take_guest_away:
            return
        with announced(self.host, self.context, self.instance, "shutdown", bdms=self.order.bdms):
            self.host.driver.destroy(self.context, doomed_guest(self.instance, self.order.bdms))

    def _finish(self, image_meta: Any, network_info: Any) -> None:
        self.stage = Stage.FINISH
        instance, conf = self.instance, self.host.conf
        instance.system_metadata.pop("network_allocated", None)
        _choose_access_addresses(instance, network_info, conf.default_access_ip_network_name)
        settle_config_drive(self.host, instance, image_meta)
        advance(
            self.host,
            instance,
            "build_done",
            power_state=power_state(self.host, instance),
            launched_at=timeutils.utcnow(with_timezone=True),
        )

    def _announce(self, phase: str, **details: Any) -> None:
        announce(self.host, self.context, self.instance, "create", phase, bdms=self.order.bdms, **details)


def _choose_access_addresses(instance: Any, network_info: Any, label: str | None) -> None:
    """Publish the addresses on the network of that label as the server's access addresses, if it has none."""
    if not label or instance.access_ip_v4 or instance.access_ip_v6:
        return
    vif = next((vif for vif in network_info if vif["network"]["label"] == label), None)
    for address in vif.fixed_ips() if vif is not None else ():
        name = f"access_ip_v{address['version']}"
        if not getattr(instance, name):
            setattr(instance, name, address["address"])
