"""Evacuating a server to here: its host has failed, so its guest is made anew on this one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final

from computed import errors, objects
from computed.operations.rebuild.attempt import Attempt
from computed.states import MigrationStatus, VmState
from computed.steps import accelerators, moves, network, volume_release, volumes
from computed.steps.group_policy import check_group_policy, group_hint
from computed.steps.guest import FirstBoot, decode_files, doomed_guest, new_guest
from computed.steps.plugging import awaiting_plugs
from computed.steps.power import has_guest, power_state
from computed.steps.records import advance
from computed.steps.removal import publish

LOG = logging.getLogger(__name__)

_TARGET_STATES: Final = (VmState.STOPPED,)
"""What an evacuated server may be asked to be, other than what it was."""


class Evacuation(Attempt):
    """The server moves here without its old host's help. Until the guest runs here the record names that
    host, and everything that was taken for this one can be given back."""

    _nodename: str
    _power_state: int
    _claim: Any
    _is_on_disk = False
    _attachments_left: Sequence[str | None] = ()

    def _begin(self) -> None:
        # Kept to be saved when the server can no longer stay where it was: of what was its guest there, its
        # old host knows by the record alone whether it ran.
        self._power_state = power_state(self.host, self.instance)
        advance(self.host, self.instance, "rebuild")

    def _steps(self) -> Any:
        if self.order.accel_uuids:
            self.undo.push("delete the accelerator requests", self._give_up_accelerators)
        self._read_parts()
        self._nodename = self._choose_node()
        allocations = self.host.placement.get_allocations(self.context, self.instance.uuid)["allocations"]
        self._take_place()
        hint = group_hint(self.order.request_spec, None)
        check_group_policy(self.host, self.context, self.instance, hint)
        self.is_harmless = False
        self._refuse_the_impossible()
        files = decode_files(self.order.injected_files)
        image_ref = self.order.orig_image_ref if self._is_on_disk else self.instance.image_ref
        self._announce_start(image_ref or self.order.orig_image_ref)
        # With this save the API knows of the migration, and tells this host of ports and accelerators, too.
        advance(self.host, self.instance, "rebuild_block_devices", power_state=self._power_state)
        accelerated = accelerators.bound(self.host, self.context, self.instance, self.order.accel_uuids)
        first = FirstBoot(allocations, files, self.order.admin_password, accelerated)
        with awaiting_plugs(self.host, self.instance) as plugging:
            network_info = self._move_ports()
            left = [bdm.attachment_id for bdm in volumes.volume_bdms(self.bdms)]
            volumes.move_here(self.host, self.context, self.instance, self.bdms, self.undo)
            self._spawning()
            publish(self.host, self.context, self._nodename)
            self.undo.push("take the guest away", self._take_guest_away)
            spec = new_guest(self.instance, self.image_meta, network_info, self.bdms, first)
            self.host.driver.spawn(self.context, plugging.ordered(spec))
            plugging.wait()
        volumes.complete(self.host, self.context, self.instance, self.bdms)
        self._name_this_host()
        self._record_the_end()
        self._attachments_left = left
        return network_info

    def _read_parts(self) -> None:
        # In one call what the way here reads or keeps for the way back.
        self.instance.load("numa_topology", "pci_devices", "pci_requests", "resources", "trusted_certs")
        super()._read_parts()

    def _give_up_accelerators(self) -> None:
        """The conductor has ordered them for this host, also when we never came to ask for them."""
        accelerators.release(self.host, self.context, self.instance, self.order.accel_uuids)

    def _choose_node(self) -> str:
        nodename = self.order.nodename or min(self.host.tracker.nodenames(), default=None)
        if nodename is None:
            raise errors.ComputeResourcesUnavailable(reason=f"host {self.host.name} has no node")
        return nodename

    def _take_place(self) -> None:
        """Hold room on the node, and say in the migration that the server is on its way here."""
        self._claim = self.host.tracker.rebuild_claim(
            self.instance,
            self._nodename,
            self.order.limits,
            migration=self.order.migration,
        )
        self.undo.push("give the claim back", self._claim.abort)
        moves.begin(self.host, self.instance, self.order.migration, self._claim)
        self.undo.push(
            "forget the migration context",
            lambda: moves.drop_context(self.host, self.instance, self.order.migration),
        )

    def _refuse_the_impossible(self) -> None:
        order, driver = self.order, self.host.driver
        if order.target_state and self.instance.vm_state != VmState.ERROR:
            if order.target_state not in _TARGET_STATES:
                raise errors.InstanceEvacuateNotSupportedTargetState(target_state=order.target_state)
            self.state_wanted = order.target_state
        if not driver.capabilities["supports_evacuate"]:
            raise errors.InstanceEvacuateNotSupported()
        if has_guest(self.host, self.instance):
            raise errors.InstanceExists(name=self.instance.name)
        self._is_on_disk = driver.has_disks_of(self.instance)
        if order.is_on_shared_storage not in (None, self._is_on_disk):
            here = "are" if self._is_on_disk else "are not"
            raise errors.InvalidSharedStorage(
                path=f"instance {self.instance.uuid}", reason=f"its disks {here} on host {self.host.name}"
            )
        self._refuse_certificates()

    def _move_ports(self) -> Any:
        """Bind the ports to this host; the first save after it records what became of them."""
        before, source = network.cached(self.instance), self.instance.host
        with network.cache_lock(self.host, self.instance):
            self.undo.push("bind the ports to the old host", lambda: self._return_ports(before, source))
            network_info = self.host.network.bind_to_host(
                self.context,
                self.instance,
                host=self.host.name,
                migration=self.order.migration,
                providers=network.providers_of(self.order.request_spec),
            )
            network.remember(self.instance, network_info)
        return network_info

    def _return_ports(self, before: Any, source: str) -> None:
        network.remember(self.instance, before)
        providers = network.providers_held(self.host, self.context, self.instance, is_elsewhere=True)
        self.host.network.bind_to_host(self.context, self.instance, host=source, providers=providers)

    def _take_guest_away(self) -> None:
        # Disks that were here before are the server's own.
        guest = doomed_guest(self.instance, self.bdms)
        self.host.driver.destroy(self.context, guest, destroy_disks=not self._is_on_disk)

    def _name_this_host(self) -> None:
        """Only with the very save that says that the server runs does it live here."""
        instance = self.instance
        source = (instance.host, instance.node, instance.compute_id)

        def name_the_source() -> None:
            instance.host, instance.node, instance.compute_id = source

        self.undo.push("name the old host again", name_the_source)
        place = self._claim.node
        instance.host, instance.node, instance.compute_id = place.host, place.nodename, place.compute_node_id
        if self._claim.claimed_numa_topology is not None:
            instance.numa_topology = self._claim.claimed_numa_topology

    def _arrive(self) -> None:
        """The server lives here: its own place in place of the claim, and the migration is done."""
        self.host.tracker.settle_move(self.instance, self._claim)
        publish(self.host, self.context, self._nodename)
        volume_release.leave_elsewhere(
            self.host, self.context, self.instance, self.bdms, self._attachments_left
        )
        moves.drop_context(self.host, self.instance, self.order.migration)
        moves.end(self.host, self.order.migration, MigrationStatus.DONE)

    def _clear_away(self) -> None:
        """Its deletion may have known the volumes by attachments that were ours, and left the others."""
        if not volumes.volume_bdms(self.bdms or ()):
            return
        try:
            left = [each.id for each in self.host.volumes.attachments(self.context, self.instance.uuid)]
        except Exception as error:
            LOG.warning("Instance %s is gone and may keep attachments: %s", self.instance.uuid, error)
            return
        volume_release.leave(self.host, self.context, self.instance, (), left)

    def _give_back_unbegun(self) -> None:
        migration = self.order.migration
        # The migration of an order that comes twice has begun.
        if migration is None or not moves.is_unbegun(self.context, migration):
            return
        if self._lives_here():
            # By another order: what is held for the server on this host is its own.
            moves.end(self.host, migration, MigrationStatus.FAILED)
            return
        if self.order.accel_uuids:
            self._give_up_accelerators()
        self._give_back()

    def _lives_here(self) -> bool:
        """Whether the server is on this host by now; True also when that cannot be read."""
        uuid = self.instance.uuid
        try:
            record = objects.Instance.get_by_uuid(self.context, uuid, expected_attrs=[])
        except Exception as error:
            LOG.warning("Instance %s could not be looked at: %s", uuid, error)
            return True
        return bool(record.host == self.host.name)

    def _give_back(self) -> None:
        """The migration has failed, and this host's part of what placement holds for the server is free."""
        if not moves.end(self.host, self.order.migration, MigrationStatus.FAILED):
            return
        nodename = self.order.nodename or min(self.host.tracker.nodenames(), default=None)
        publish(self.host, self.context, nodename)
        moves.release_allocations(self.host, self.context, self.instance, nodename)
