"""File shares on a host that only exists in memory."""

from __future__ import annotations

from typing import Any

from computed.virt.fake.memory import Memory
from computed.virt.port.shares import SharePort


class FakeShares(Memory, SharePort):
    """Remembers which instance has which share mounted, as long as the process lives: mounts do not
    outlive a host either."""

    _mounts: set[tuple[str, str]]

    def mount_share(self, context: Any, instance: Any, share: Any) -> None:
        with self._orders.around("mount_share", instance):
            self._mounts.add((share.share_id, instance.uuid))

    def umount_share(self, context: Any, instance: Any, share: Any) -> bool:
        with self._orders.around("umount_share", instance):
            self._mounts.discard((share.share_id, instance.uuid))
            return self.is_share_mounted(share)

    def is_share_mounted(self, share: Any) -> bool:
        return any(share_id == share.share_id for share_id, _ in self._mounts)
