"""What a guest's disks need on the host that they have come to: the files that they lie on."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from computed import errors
from computed.virt.libvirt.drafting import plan_disks
from computed.virt.libvirt.remote_files import RemoteFiles
from computed.virt.libvirt.storage.cache import PART

if TYPE_CHECKING:
    from computed.virt.libvirt.engine import Engine
    from computed.virt.libvirt.storage.plan import DiskPlan
    from computed.virt.specs import GuestSpec

LOG = logging.getLogger(__name__)


class Arrival:
    """The disks of one guest that has come from `source`, the name or address of a host."""

    def __init__(self, engine: Engine, context: Any, spec: GuestSpec, source: str) -> None:
        self._engine = engine
        self._context = context
        self._spec = spec
        self._paths = engine.paths(spec.instance)
        self._remote = RemoteFiles(source, engine.conf.libvirt.remote_filesystem_transport)

    def have_bases(self) -> None:
        """Fetch what is missing: an image from the image service, or, if it is gone there, from the source;
        ephemeral and swap bases from the source only, for one that is made anew is another file system.

        Raises RemoteFilesFailed, ImageUnacceptable and what Disks.restore_base raises.
        """
        for disk in plan_disks(self._engine, self._spec):
            if disk.path is None or not disk.path.exists() or disk.kind == "config_drive":
                continue
            if self._engine.disks.lacks_base(self._paths, disk.path) and not self._from_image(disk):
                self._from_source(disk.path)

    def _from_image(self, disk: DiskPlan) -> bool:
        if disk.kind != "root" or not disk.image_id or disk.path is None:
            return False
        try:
            source = self._engine.images.source_of(self._context, disk.image_id)
        except errors.ImageNotFound:
            LOG.info("Image %s is gone; its file is fetched from the source", disk.image_id)
            return False
        return self._engine.disks.restore_base(self._paths, disk.path, source)

    def _from_source(self, path: Path) -> None:
        cache = self._engine.cache
        base = Path(self._engine.disks.info(self._paths, path).backing_file or "")
        if base.parent != cache.paths.base:
            raise errors.InvalidDiskInfo(reason=f"{path} lies on {base}, which is not in the image cache")
        with cache.locks.hold(base.name):
            if base.exists():
                return
            part = base.with_name(base.name + PART)
            base.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._remote.fetch(base, part)
                part.rename(base)
            finally:
                part.unlink(missing_ok=True)
