"""One disk of a guest, and the jobs that copy it while the guest runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import libvirt

from computed.virt.libvirt.xml.running import RunningDisks

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest


@dataclass(frozen=True, slots=True)
class BlockInfo:
    """Sizes in bytes: what the guest sees, what the host has given, how long the file is."""

    capacity_bytes: int
    allocation_bytes: int
    physical_bytes: int


@dataclass(frozen=True, slots=True)
class BlockJob:
    """How far a job is; `kind` as libvirt numbers it (1 pull, 2 copy, 3 commit, 4 active commit)."""

    kind: int
    bandwidth_bytes: int
    current: int
    end: int

    @property
    def is_even(self) -> bool:
        """Whether everything has been copied; of a job that has not begun both figures are zero."""
        return 0 < self.end == self.current


class BlockDevice:
    """A disk by the guest's name of it (`vda`), or by its path.

    Every method raises LibvirtFailed, InstanceNotFound, HypervisorUnavailable.
    """

    def __init__(self, guest: Guest, disk: str) -> None:
        self._guest = guest
        self._disk = disk

    def info(self) -> BlockInfo:
        """How big the disk is."""
        return BlockInfo(*self._guest.call("blockInfo", self._disk, 0))

    def job(self) -> BlockJob | None:
        """The job that runs on the disk; None when there is none, it ended by itself or was aborted."""
        found = self._guest.call(
            "blockJobInfo", self._disk, libvirt.VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES
        )
        if not found:
            return None
        return BlockJob(found["type"], found["bandwidth"], found["cur"], found["end"])

    def is_ready(self) -> bool:
        """Whether a copy or an active commit has caught up with the guest, so that it can be ended."""
        job = self.job()
        if job is None or not job.is_even:
            return False
        disks = RunningDisks.from_xml(self._guest.xml()).disks
        return any(disk.mirror_ready == "yes" for disk in disks if disk.target_dev == self._disk)

    def abort(self, *, is_async: bool = False, pivot: bool = False) -> None:
        """End the job: leave the copy where it is, or with `pivot` let the guest go on with it."""
        flags = libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC if is_async else 0
        flags |= libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT if pivot else 0
        self._guest.call("blockJobAbort", self._disk, flags)

    def copy(
        self, disk_xml: str, *, shallow: bool = False, reuse: bool = False, transient: bool = True
    ) -> None:
        """Copy the disk to the one that `disk_xml` (<disk>) describes, until `abort`. `transient`: the job
        may be lost when the guest ends, and so the guest may stay defined meanwhile."""
        flags = libvirt.VIR_DOMAIN_BLOCK_COPY_SHALLOW if shallow else 0
        flags |= libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT if reuse else 0
        flags |= libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB if transient else 0
        self._guest.call("blockCopy", self._disk, disk_xml, None, flags)

    def resize(self, size_bytes: int) -> None:
        """Let the running guest see a disk of this size."""
        self._guest.call("blockResize", self._disk, size_bytes, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
