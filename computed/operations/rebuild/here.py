"""Rebuilding a server on the host where it lives."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

from computed import errors
from computed.lib.undo import UndoStack
from computed.operations.rebuild import reimage
from computed.operations.rebuild.attempt import Attempt
from computed.steps import accelerators, network, volumes
from computed.steps.guest import FirstBoot, decode_files, doomed_guest, new_guest
from computed.steps.plugging import awaiting_plugs
from computed.steps.power import power_off
from computed.steps.records import advance

LOG = logging.getLogger(__name__)


class RebuildHere(Attempt):
    """The guest goes with its local disks and comes back from the image; everything else stays as it is.

    Ports, volumes and the place on the node are the server's before, meanwhile and afterwards, also when
    it fails: then it may be rebuilt once more.
    """

    _has_guest = False

    def _steps(self) -> Any:
        self._read_parts()
        self.is_harmless = False
        files = decode_files(self.order.injected_files)
        self._refuse_certificates()
        if self.order.preserves_ephemeral:
            raise errors.PreserveEphemeralNotSupported()
        allocations = self.host.placement.get_allocations(self.context, self.instance.uuid)["allocations"]
        self._announce_start(self.order.orig_image_ref)
        network_info = network.cached(self.instance)
        self._remove_guest()
        self._reimage()
        self._reconnect()
        accelerated = accelerators.of(self.host, self.context, self.instance)
        first = FirstBoot(allocations, files, self.order.admin_password, accelerated)
        with awaiting_plugs(self.host, self.instance) as plugging:
            self._spawning()
            self._has_guest = True
            spec = new_guest(self.instance, self.image_meta, network_info, self.bdms, first)
            self.host.driver.spawn(self.context, plugging.ordered(replace(spec, is_new=True)))
            plugging.wait()
        self._record_the_end()
        return network_info

    def _remove_guest(self) -> None:
        try:
            power_off(self.host, self.instance, clean_shutdown=True)
        except errors.InstanceNotFound:
            # An earlier rebuild failed half-way; there may be disks.
            LOG.info("Instance %s has no guest to be powered off", self.instance.uuid)
        self.host.driver.destroy(self.context, doomed_guest(self.instance, self.bdms))

    def _reimage(self) -> None:
        """Have the root volume overwritten with the new image, if that is asked for and there is one."""
        root = next((bdm for bdm in self.bdms if bdm.is_root), None)
        if self.order.reimages_boot_volume and root is not None and root.is_volume:
            advance(self.host, self.instance, "rebuild_block_devices")
            reimage.overwrite(self.host, self.context, self.instance, root, self.image)

    def _reconnect(self) -> None:
        """Bring the volumes' connections up to date; those that have none, as after a failure, get one."""
        host, context, instance = self.host, self.context, self.instance
        reserved = volumes.refresh(host, context, instance, self.bdms)
        # What is connected stays so when the rest fails: the volumes are the server's in any case.
        volumes.prepare(host, context, instance, reserved, UndoStack())
        volumes.complete(host, context, instance, reserved)

    def _clear_away(self) -> None:
        """Nobody else would remove the guest of a server whose record has gone meanwhile."""
        if self._has_guest:
            self.host.driver.destroy(self.context, doomed_guest(self.instance, self.bdms))
