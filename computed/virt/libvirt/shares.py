"""File shares of guests: not built, said plainly."""

from __future__ import annotations

from typing import Any

from computed.virt.port.shares import SharePort


class LibvirtShares(SharePort):
    """A share is mounted by the kernel (NFS, CephFS), as root, and needs a virtiofsd beside the guest."""

    def mount_share(self, context: Any, instance: Any, share: Any) -> None:
        raise NotImplementedError("the libvirt driver cannot mount file shares yet")

    def umount_share(self, context: Any, instance: Any, share: Any) -> bool:
        raise NotImplementedError("the libvirt driver has mounted no file share")

    def is_share_mounted(self, share: Any) -> bool:
        return False
