"""Making a guest that does not exist yet: files, config drive, ports, definition, start."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.lib.stopwatch import Stopwatch
from computed.lib.undo import undo_on_error
from computed.virt.libvirt import device_tags, ending
from computed.virt.libvirt.drafting import draft
from computed.virt.libvirt.files import GuestFiles
from computed.virt.libvirt.plugs import plug_all, unplug_all
from computed.virt.libvirt.remembering import remember_choices
from computed.virt.libvirt.starting import start

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.guest import Guest
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


class Birth:
    """One spawn. When it fails nothing of it is left, except what libvirt may still be using: of a guest that
    cannot be asked for nothing is removed."""

    def __init__(self, engine: Engine, context: Any, spec: GuestSpec) -> None:
        self._engine = engine
        self._context = context
        self._spec = spec
        self._may_exist = False

    def run(self) -> None:
        """Make the guest. Raises InstanceExists, InstanceDeployFailure (old files are there), and what
        drafting, files and starting raise."""
        engine, spec = self._engine, self._spec
        watch = Stopwatch("design")
        if ending.find(engine, spec.instance.uuid) is not None:
            raise errors.InstanceExists(name=spec.instance.name)
        # What cannot be is refused before anything is fetched.
        draft(engine, spec)
        files = GuestFiles(engine, self._context, spec)
        if spec.is_new:
            files.refuse_old_files()
        with undo_on_error() as undo:
            undo.push("remove the files of the guest", lambda: self._take_back(files.take_back))
            watch.enter("disks")
            files.make_disks()
            watch.enter("design")
            # Again, because a disk's format may follow from its image.
            made = draft(engine, spec)
            xml = made.domain.to_xml()
            undo.push("unplug the ports", lambda: self._take_back(lambda: unplug_all(engine, spec)))
            watch.enter("plug")
            plug_all(engine, spec)
            undo.push("end the guest", lambda: ending.end(engine, spec.instance, keep_nvram=False))
            self._may_exist = True
            watch.enter("define")
            guest = engine.connection.define(xml)
            self._note_tagged_devices(guest)
            watch.enter("config drive")
            files.make_config_drive(made.config_drive)
            watch.enter("start")
            start(engine, guest, spec)
        remember_choices(spec, made)
        LOG.info("Instance %s has a guest after %s", spec.instance.uuid, watch)

    def _note_tagged_devices(self, guest: Guest) -> None:
        """Their addresses are libvirt's choice, so they are known only now; the config drive tells them, and
        the next save of the instance records them for the metadata service."""
        spec = self._spec
        tags = self._engine.collaborators.interface_tags(self._context, spec)
        if device_tags.wants_description(spec, tags):
            spec.instance.device_metadata = device_tags.describe(guest.domain(inactive=True), spec, tags)

    def _take_back(self, undo: Callable[[], None]) -> None:
        """Take back what a guest may be using: when libvirt has said that there is none."""
        if self._may_exist and ending.find(self._engine, self._spec.instance.uuid) is not None:
            raise errors.InstancePowerOffFailure(reason="its guest is still there")
        self._may_exist = False
        undo()
