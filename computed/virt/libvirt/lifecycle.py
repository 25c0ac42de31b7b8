"""Birth, death and power of guests: the part of the driver behind LifecyclePort."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from computed.virt.libvirt import ending
from computed.virt.libvirt.birth import Birth
from computed.virt.libvirt.drafting import storage_options
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.files import remove_all
from computed.virt.libvirt.plugs import unplug_all
from computed.virt.libvirt.reboots import Renewal, reboot_softly
from computed.virt.libvirt.storage.plan import plan
from computed.virt.port.guests import LifecyclePort
from computed.virt.specs import DiskSpec, GuestSpec

LOG = logging.getLogger(__name__)


class LibvirtLifecycle(LibvirtPart, LifecyclePort):
    """Guests are persistent domains; their files are in a directory of their own."""

    def device_names(
        self, instance: Any, image_meta: Any, disks: Sequence[DiskSpec]
    ) -> Sequence[str | None] | None:
        """See Driver; a container has no devices to be named."""
        if self._engine.options.virt_type == "lxc":
            return None
        spec = GuestSpec(instance=instance, image_meta=image_meta, network_info=None, disks=tuple(disks))
        placed = plan(spec, storage_options(self._engine, spec), self._engine.paths(instance))
        targets = {id(plan.spec): plan.target for plan in placed}
        return [f"/dev/{targets[id(disk)]}" for disk in disks]

    def spawn(self, context: Any, spec: GuestSpec) -> None:
        Birth(self._engine, context, spec).run()

    def destroy(self, context: Any, spec: GuestSpec, *, destroy_disks: bool = True) -> None:
        instance = spec.instance
        # Files and ports are touched only when libvirt has said that nobody uses them any more.
        ending.end(self._engine, instance, keep_nvram=not destroy_disks)
        unplug_all(self._engine, spec)
        if destroy_disks:
            remove_all(self._engine.paths(instance))

    def power_on(self, context: Any, spec: GuestSpec) -> None:
        # As with stock: everything that the guest needs on its host is made anew, for it may have gone.
        Renewal(self._engine, context, spec).run()

    def power_off(self, instance: Any, *, timeout_seconds: int = 0, retry_seconds: int = 0) -> None:
        guest = self._engine.connection.guest(instance.uuid)
        if timeout_seconds and ending.ask_to_stop(guest, timeout_seconds, retry_seconds):
            return
        ending.stop(guest)

    def reboot(self, context: Any, spec: GuestSpec, *, hard: bool) -> None:
        if not hard and reboot_softly(self._engine, spec.instance):
            return
        Renewal(self._engine, context, spec).run()

    def delete_instance_files(self, instance: Any) -> bool:
        if ending.find(self._engine, instance.uuid) is not None:
            return False
        return remove_all(self._engine.paths(instance))
