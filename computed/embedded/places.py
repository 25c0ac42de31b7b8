"""Where the one-host cloud keeps its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """The files of one cloud; `socket` is the way in, the others nobody else needs to touch.

    With `is_shared_with_guests` the user whom a hypervisor runs guests as may pass through the directory to
    the disks of the instances; what else is there stays closed.
    """

    state_dir: Path
    socket: Path
    images_dir: Path
    is_shared_with_guests: bool = False

    @classmethod
    def of(
        cls,
        state_dir: str | None,
        socket: str | None,
        images_dir: str | None,
        environ: Mapping[str, str] | None = None,
        *,
        is_shared_with_guests: bool = False,
    ) -> Places:
        """The places that the options of section [alone] name, or else the usual ones."""
        root = Path(state_dir) if state_dir else usual_state_dir(os.environ if environ is None else environ)
        return cls(
            state_dir=root,
            socket=Path(socket) if socket else root / "computed.sock",
            images_dir=Path(images_dir) if images_dir else root / "images",
            is_shared_with_guests=is_shared_with_guests,
        )

    @property
    def store(self) -> Path:
        """The records of the conductor."""
        return self.state_dir / "records.db"

    @property
    def placement(self) -> Path:
        """The database of placement."""
        return self.state_dir / "placement.db"

    @property
    def lock(self) -> Path:
        """Held by the one process that runs this cloud."""
        return self.state_dir / "lock"

    def make(self) -> None:
        """Make the directories; nobody else can look into the first, nor open its files."""
        self.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        for private in (self.store, self.placement):
            os.close(os.open(private, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            private.chmod(0o600)
        if self.is_shared_with_guests:
            # To pass through, not to list.
            self.state_dir.chmod(self.state_dir.stat().st_mode | 0o011)
        self.images_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def usual_state_dir(environ: Mapping[str, str]) -> Path:
    """/var/lib/computed/alone for root, else the user's own state directory."""
    if os.geteuid() == 0:
        return Path("/var/lib/computed/alone")
    home = environ.get("XDG_STATE_HOME") or Path(environ.get("HOME", "/nonexistent")) / ".local" / "state"
    return Path(home) / "computed"
