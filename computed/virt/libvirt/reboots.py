"""Restarting guests: softly, when they agree, or hard, which makes them anew around their disks."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from computed.states import PowerState
from computed.virt.libvirt import ending
from computed.virt.libvirt.drafting import draft
from computed.virt.libvirt.files import GuestFiles
from computed.virt.libvirt.plugs import plug_all, unplug_all
from computed.virt.libvirt.remembering import remember_choices
from computed.virt.libvirt.starting import start
from computed.virt.libvirt.xml.domain import Domain

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.guest import Guest
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


def reboot_softly(engine: Engine, instance: Any) -> bool:
    """Have the guest shut down and start it again; False when it does not run or does not listen.

    Raises InstanceNotFound, HypervisorUnavailable.
    """
    guest = engine.connection.guest(instance.uuid)
    if guest.state().power_state != PowerState.RUNNING:
        return False
    if not ending.ask_to_stop(guest, engine.options.soft_reboot_seconds, 0):
        LOG.warning("Instance %s did not shut down for its reboot", instance.uuid)
        return False
    guest.start()
    return True


class Renewal:
    """A hard reboot, or a start: process, ports and definition are made anew, and files that are missing and
    had nothing of the guest's own.

    When it fails, the disks are as before and the guest is defined, unless libvirt cannot be asked.
    """

    def __init__(self, engine: Engine, context: Any, spec: GuestSpec) -> None:
        self._engine = engine
        self._context = context
        self._spec = spec

    def run(self) -> None:
        """Raises DiskNotFound (what the guest has written is not whole), what drafting, files and starting
        raise, InstancePowerOffFailure."""
        engine, spec = self._engine, self._spec
        guest = ending.find(engine, spec.instance.uuid)
        if guest is None:
            self._guarded(None, None)
            return
        if engine.paths(spec.instance).unrescue_xml.exists():
            self._restart_rescued(guest)
            return
        self._guarded(guest, guest.xml(inactive=True, secure=True))

    def _guarded(self, guest: Guest | None, old_xml: str | None) -> None:
        engine, spec = self._engine, self._spec
        old = None if old_xml is None else Domain.from_xml(old_xml)
        # What cannot be made is refused while the guest still runs.
        files = GuestFiles(engine, self._context, spec)
        files.refuse_lost_disks()
        draft(engine, spec, old=old)
        files.have_bases()
        if guest is not None:
            ending.stop(guest)
        unplug_all(engine, spec)
        try:
            self._make_anew(files, guest, old)
        except BaseException:
            self._fall_back(old_xml)
            raise

    def _make_anew(self, files: GuestFiles, guest: Guest | None, old: Domain | None) -> None:
        engine, spec = self._engine, self._spec
        files.renew_swap()
        files.make_disks()
        made = draft(engine, spec, old=old)
        files.make_config_drive(made.config_drive, only_if_missing=True)
        plug_all(engine, spec)
        if guest is not None:
            # Else its saved memory would be taken for that of the guest which is defined now.
            guest.drop_managed_save()
        start(engine, engine.connection.define(made.domain.to_xml()), spec)
        remember_choices(spec, made)

    def _restart_rescued(self, guest: Guest) -> None:
        """Whoever is rescued stays so: as it is defined."""
        ending.stop(guest)
        plug_all(self._engine, self._spec)
        guest.drop_managed_save()
        start(self._engine, guest, self._spec)

    def _fall_back(self, old_xml: str | None) -> None:
        """A guest that could not be made anew is at least defined as it was: it can be tried again."""
        engine, spec = self._engine, self._spec
        try:
            ending.end(engine, spec.instance, keep_nvram=True)
            unplug_all(engine, spec)
            if old_xml is not None:
                engine.connection.define(old_xml)
        except Exception as error:
            LOG.warning("Instance %s may have lost its definition: %s", spec.instance.uuid, error)
