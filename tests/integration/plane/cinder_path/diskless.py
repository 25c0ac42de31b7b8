"""A volume backend of cinder whose volumes are records only; runs in the control plane's own venv.

No iSCSI target, no LVM, no image tool: what a compute's fake driver never looks at is never made.
"""

from __future__ import annotations

import time
from typing import Any

from cinder.volume import driver  # type: ignore[import-not-found]


class DisklessDriver(driver.VolumeDriver):  # type: ignore[misc]
    """Every verb succeeds and touches nothing."""

    def check_for_setup_error(self) -> None:
        self.set_initialized()

    def _update_volume_stats(self) -> None:
        self._stats = {
            "volume_backend_name": self.configuration.safe_get("volume_backend_name"),
            "vendor_name": "computed",
            "driver_version": "1",
            "storage_protocol": "none",
            "total_capacity_gb": 10000,
            "free_capacity_gb": 10000,
            "reserved_percentage": 0,
            "multiattach": True,
            "online_extend_support": True,
        }

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        self._update_volume_stats()
        stats: dict[str, Any] = self._stats
        return stats

    def initialize_connection(self, volume: Any, connector: dict[str, Any], **_: Any) -> dict[str, Any]:
        return {"driver_volume_type": "fake", "data": {"volume_id": volume.id, "access_mode": "rw"}}

    def clone_image(self, *_: Any) -> tuple[dict[str, Any], bool]:
        return {}, True

    def _nothing(self, *_: Any, **__: Any) -> None:
        """There is no disk to do it to."""

    def delete_volume(self, volume: Any) -> None:
        """As slow as a disk: at the end of a migration cinder has the old volume deleted, and only then saves
        its attachments under their new id (VolumeManager.migrate_volume_completion). Were the volume gone by
        then, so were they."""
        time.sleep(1)

    create_volume = extend_volume = _nothing
    create_snapshot = delete_snapshot = create_volume_from_snapshot = create_cloned_volume = _nothing
    ensure_export = create_export = remove_export = terminate_connection = _nothing
    copy_image_to_volume = copy_volume_to_image = _nothing
