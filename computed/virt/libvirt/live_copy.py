"""Copies the disk of a running guest to a file, as it is at one moment, while the guest goes on."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from computed import errors
from computed.virt.libvirt.codes import Failure
from computed.virt.libvirt.quiescing import Stillness, held_still
from computed.virt.libvirt.xml.devices.disk import Disk, Source

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest
    from computed.virt.libvirt.guest_blocks import BlockDevice
    from computed.virt.libvirt.storage.qemu_img import ImageInfo, QemuImg

LOG = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.5
_POLLS_OF_AN_END: Final = 6


class GuestStopped(Exception):
    """The guest ended while its disk was copied: the disk can be read as it lies there."""


def prepare(source: Path, info: ImageInfo, copy: Path, tool: QemuImg) -> None:
    """Make the empty file that a copy of disk `source` goes to: qcow2, on what the disk itself lies on.

    Raises ImageToolFailed, InvalidDiskInfo.
    """
    _make(source, info, copy, tool)
    # libvirt gives it to QEMU's user for the copy, and to root afterwards: we read it all the same.
    copy.chmod(0o644)


def _make(source: Path, info: ImageInfo, copy: Path, tool: QemuImg) -> None:
    if info.backing_file is None:
        tool.create(copy, "qcow2", info.virtual_size_bytes)
        return
    if info.backing_format is None:
        raise errors.InvalidDiskInfo(reason=f"{source} does not say in which format {info.backing_file} is")
    base = Path(info.backing_file)
    tool.create_overlay(copy, base, tool.info(base, info.backing_format), info.virtual_size_bytes)


def mirror(guest: Guest, target_dev: str, copy: Path, still: Stillness) -> None:
    """Fill `copy` with what the disk has above its base, and end at a moment when both are the same.

    The guest stays defined all the time. Raises GuestStopped, InstanceNotFound, HypervisorUnavailable,
    LibvirtFailed, InstanceQuiesceFailed; the job has ended then, unless libvirt cannot be reached.
    """
    block = guest.block(target_dev)
    _abort_quietly(block)  # of somebody who was interrupted
    described = Disk(type="file", driver_type="qcow2", source=Source(file=str(copy)))
    try:
        block.copy(described.to_xml(), shallow=True, reuse=True)
        _wait(guest, block, copy)
        with held_still(guest, still):
            block.abort()
    except errors.LibvirtFailed as error:
        _abort_quietly(block)
        if _has_stopped(guest):
            raise GuestStopped from error
        raise
    except errors.HypervisorUnavailable:
        raise
    except BaseException:
        _abort_quietly(block)
        raise


def _has_stopped(guest: Guest) -> bool:
    """Whether the guest has ended. While it ends libvirt still counts it as active, and what it answers to
    other calls says nothing of why they fail: a broken monitor, an end of file, no such job."""
    for _ in range(_POLLS_OF_AN_END):
        if not guest.is_active():
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _wait(guest: Guest, block: BlockDevice, copy: Path) -> None:
    """Until the copy has caught up with the guest."""
    while not block.is_ready():
        if block.job() is None:
            raise errors.LibvirtFailed(
                f"The copy of the disk of {guest.name} to {copy} ended before it was complete; "
                f"is {copy.parent.parent} full?",
                Failure.OPERATION_FAILED,
            )
        time.sleep(_POLL_SECONDS)


def _abort_quietly(block: BlockDevice) -> None:
    try:
        block.abort()
    except (errors.LibvirtFailed, errors.InstanceNotFound, errors.HypervisorUnavailable) as error:
        LOG.debug("No copy is ended: %s", error)
