"""How two hosts find out whether they see the same instances directory (contract host_files.json,
shared_storage_probe): one puts a file down, and the other looks for it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.port.shared_storage import SharedStoragePort


class LibvirtSharedStorage(LibvirtPart, SharedStoragePort):
    """The mark is a file in the instance's directory; its whole name travels."""

    def mark_storage(self, context: Any, instance: Any) -> Mapping[str, Any] | None:
        try:
            mark, name = tempfile.mkstemp(dir=self._engine.paths(instance).directory)
        except FileNotFoundError:
            # Without a directory there is nothing that could be removed by mistake.
            return None
        os.close(mark)
        return {"filename": name}

    def sees_shared_storage(self, context: Any, data: Mapping[str, Any]) -> bool:
        """The other side of `mark_storage`, on the other host."""
        mark = self._mark(data)
        return mark is not None and mark.exists()

    def unmark_storage(self, context: Any, data: Mapping[str, Any]) -> None:
        mark = self._mark(data)
        if mark is not None:
            mark.unlink(missing_ok=True)

    def _mark(self, data: Mapping[str, Any]) -> Path | None:
        """The file that another host names, if it can be a mark: right in the directory of an instance."""
        mark = Path(os.path.normpath(str(data.get("filename") or "")))
        return mark if mark.parent.parent == self._engine.options.instances_path else None
