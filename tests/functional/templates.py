"""What clouds begin with: the files of one that has served already, or of none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from computed.cmd.concurrency import ENVIRONMENT, THREADING
from computed.embedded.placement_app import placement_adapter, start_placement
from tests.functional.cloud import Cloud


class Templates:
    """The files of clouds before their test: making them takes longer than copying them."""

    # Whoever sets one of these is another host than the one whose files are there.
    _IDENTITY = {"host", "fake.nodes", "compute_driver"}

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._executor = os.environ.get(ENVIRONMENT, THREADING)
        self._made: dict[tuple[str, ...], Path] = {}

    def of(self, hosts: tuple[str, ...], *options: dict[str, Any] | None) -> Path:
        """Of a cloud whose `hosts` have served already and will be started with `options`."""
        is_other = any(self._IDENTITY & set(each or ()) for each in options)
        wanted = () if is_other else hosts
        if wanted not in self._made:
            self._made[wanted] = self._make(wanted)
        return self._made[wanted]

    def _make(self, hosts: tuple[str, ...]) -> Path:
        directory = self._directory / "-".join(("cloud", *hosts))
        directory.mkdir(mode=0o700)
        if hosts:
            cloud = Cloud(directory, self.of(()), self._executor, {})
            for name in hosts[1:]:
                cloud.add_host(name)
            cloud.close()
        else:
            app = start_placement(f"sqlite:///{directory / 'placement.db'}", durable=False)
            placement_adapter(app).get("/traits", microversion="1.6")
        return directory
