"""The memory of the fake hypervisor: its guests, in files that a killed agent finds again."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from computed import errors
from computed.states import PowerState

LOG = logging.getLogger(__name__)
CONSOLE_LINES_KEPT = 1000


@dataclass
class FakeGuest:
    """One remembered guest. Not `defined`: only its disks are left."""

    uuid: str
    name: str
    power_state: int
    defined: bool = True
    boots: int = 0
    disks: list[str] = field(default_factory=list)
    vifs: list[str] = field(default_factory=list)
    volumes: dict[str, str] = field(default_factory=dict)
    """Volume id → device name."""
    accelerators: list[str] = field(default_factory=list)
    """Ids of the accelerator requests whose devices it was started with."""
    is_adopted: bool = False
    """Whether another agent made it, so that its volumes are not known here."""
    console: list[str] = field(default_factory=list)
    image: str | None = None
    quiesced: bool = False
    rescue: dict[str, Any] | None = None
    """What it is rescued with; None when it is not."""
    is_saved: bool = False
    """Whether its memory is put away although it shows as shut down, as with libvirt."""

    @property
    def has_saved_memory(self) -> bool:
        """Whether it can go on from where it was."""
        return self.is_saved or self.power_state == PowerState.SUSPENDED

    def say(self, line: str) -> None:
        """Write a line on the console; the oldest lines are forgotten."""
        self.console = [*self.console, line][-CONSOLE_LINES_KEPT:]

    def boot(self) -> None:
        """Start from the beginning."""
        self.power_state = PowerState.RUNNING
        self.is_saved = False
        self.boots += 1
        self.say(f"FAKE GUEST {self.name} {self.uuid}")
        self.say(f"BOOT {self.boots}")
        if self.rescue:
            self.say(f"RESCUE {self.rescue['image']}")
        self.say("READY")


class GuestStore:
    """Guests by uuid, one file each, so that a change costs the same however many there are.

    A file is replaced as a whole: whoever kills the process finds the old or the new state. With no
    folder, the guests live as long as the process. All methods may be called from any thread.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._guard = threading.RLock()
        self._guests: dict[str, FakeGuest] = {}

    def load(self) -> None:
        """Read what an earlier process left. What cannot be read stays as a guest in no known state."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob("*.json")):
            try:
                guest = FakeGuest(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError) as exc:
                LOG.error("Cannot read %s, its guest is in no known state: %s", path, exc)
                guest = FakeGuest(path.stem, path.stem, PowerState.NOSTATE)
            self._guests[guest.uuid] = guest

    def defined(self) -> list[FakeGuest]:
        """Every guest that is more than disks."""
        with self._guard:
            return [guest for guest in self._guests.values() if guest.defined]

    def find(self, uuid: str) -> FakeGuest | None:
        """The memory of `uuid`, be it a guest or only its disks."""
        with self._guard:
            return self._guests.get(uuid)

    @contextmanager
    def changing(self, uuid: str) -> Iterator[FakeGuest]:
        """A defined guest to change; written when the block ends well. Raises InstanceNotFound."""
        with self._guard:
            guest = self._guests.get(uuid)
            if guest is None or not guest.defined:
                raise errors.InstanceNotFound(instance_id=uuid)
            yield guest
            self._write(guest)

    def add(self, guest: FakeGuest) -> None:
        """Remember a new guest, or the guest that is made again of disks left behind."""
        with self._guard:
            self._guests[guest.uuid] = guest
            self._write(guest)

    def remove(self, uuid: str, *, keep_disks: bool) -> bool:
        """Forget a guest, with or without its disks; False when nothing was known of it."""
        with self._guard:
            guest = self._guests.get(uuid)
            if guest is None:
                return False
            if keep_disks:
                guest.defined = False
                guest.vifs = []
                self._write(guest)
                return True
            del self._guests[uuid]
            if self._folder is not None:
                (self._folder / f"{uuid}.json").unlink(missing_ok=True)
            return True

    def _write(self, guest: FakeGuest) -> None:
        if self._folder is None:
            return
        path = self._folder / f"{guest.uuid}.json"
        beside = path.with_suffix(".new")
        beside.write_text(json.dumps(asdict(guest)), encoding="utf-8")
        os.replace(beside, path)
