"""Where snapshots are prepared: a directory for each, with a name that tells whose it is.

What is still there when nobody works in it was left by an agent that was killed, or that could not reach
libvirt to end what it had begun: `tidy` ends it.
"""

from __future__ import annotations

import logging
import re
import shutil
import threading
import uuid as uuid_module
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from computed import errors
from computed.states import PowerState
from computed.virt.libvirt.xml.running import RunningDisks

if TYPE_CHECKING:
    from computed.virt.libvirt.connection import Connection
    from computed.virt.libvirt.guest import Guest

LOG = logging.getLogger(__name__)

_NAME: Final = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.[0-9a-f]{32}")
_ASLEEP: Final = "asleep"
HELD: Final = "held"
"""Marks in a room: what is to be done for the guest when the snapshot is cut off."""


class SnapshotRooms:
    """The directories under [libvirt]snapshots_directory."""

    def __init__(self, directory: Path, connection: Connection) -> None:
        self._directory = directory
        self._connection = connection
        self._lock = threading.Lock()
        self._in_use: set[Path] = set()

    @contextmanager
    def room(self, uuid: str) -> Iterator[Path]:
        """An empty directory for the block; afterwards nothing of it is left. When the block ends because
        libvirt cannot be reached its files go at once, the rest when libvirt is back. Raises OSError."""
        room = self._directory / f"{uuid}.{uuid_module.uuid4().hex}"
        self._directory.mkdir(parents=True, exist_ok=True)
        with self._lock:
            self._in_use.add(room)
        is_owed = False
        try:
            # QEMU, which is another user, must reach its file in there, and need not see what else there is.
            room.mkdir(0o711)
            yield room
        except errors.HypervisorUnavailable:
            is_owed = True
            raise
        finally:
            _empty(room) if is_owed else shutil.rmtree(room, ignore_errors=True)
            with self._lock:
                self._in_use.discard(room)
            if is_owed:
                self._connection.post(self.tidy)

    @contextmanager
    def asleep(self, guest: Guest, room: Path, power_state: int) -> Iterator[None]:
        """Save the memory of a running guest and end it during the block; it goes on after it as before. An
        agent that is killed meanwhile lets it go on when it starts again."""
        (room / _ASLEEP).write_text(str(int(power_state)), encoding="ascii")
        guest.managed_save()
        try:
            yield
        finally:
            _wake(guest, room)

    def tidy(self) -> None:
        """End what nobody works at any more: block jobs, guests asleep or held still, files. What cannot be
        done now, because libvirt is out of reach, is done the next time."""
        for room in self._left():
            uuid = room.name.partition(".")[0]
            try:
                self._end(uuid, room)
            except errors.InstanceNotFound:
                shutil.rmtree(room, ignore_errors=True)
            except (errors.HypervisorUnavailable, errors.LibvirtFailed, OSError, ValueError) as error:
                LOG.warning("A snapshot of instance %s is not tidied up yet: %s", uuid, error)
            else:
                LOG.info("What an interrupted snapshot of instance %s has left is removed", uuid)

    def _left(self) -> list[Path]:
        try:
            found = [path for path in self._directory.iterdir() if _NAME.fullmatch(path.name)]
        except FileNotFoundError:
            return []
        with self._lock:
            return [path for path in found if path not in self._in_use]

    def _end(self, uuid: str, room: Path) -> None:
        _empty(room)
        guest = self._connection.guest(uuid)
        if guest.is_active():
            end_copies(guest, room)
            if (room / HELD).exists():
                guest.thaw()
        elif (room / _ASLEEP).exists():
            _wake(guest, room)
        shutil.rmtree(room)


def end_copies(guest: Guest, room: Path) -> None:
    """Abort every copy of the guest's disks to a file in `room`.

    Raises LibvirtFailed, InstanceNotFound, HypervisorUnavailable.
    """
    for disk in RunningDisks.from_xml(guest.xml()).disks:
        if disk.mirror_file is not None and disk.target_dev and Path(disk.mirror_file).parent == room:
            LOG.info("%r: the copy of %s to %s is ended", guest, disk.target_dev, disk.mirror_file)
            guest.block(disk.target_dev).abort()


def _empty(room: Path) -> None:
    """Give back the space, and keep what says what is still to be done."""
    for path in room.iterdir():
        if path.name not in (_ASLEEP, HELD):
            path.unlink(missing_ok=True)


def _wake(guest: Guest, room: Path) -> None:
    """Let a guest go on from its saved memory, unless somebody else has done so."""
    was = (room / _ASLEEP).read_text(encoding="ascii")
    if not guest.is_active() and guest.has_managed_save():
        guest.start(paused=was == str(int(PowerState.PAUSED)))
    (room / _ASLEEP).unlink()
