"""Images of guests: copied out of the running guest where that is possible, else from its disk at rest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from computed import errors
from computed.lib.offload import offload
from computed.states import PowerState
from computed.virt.libvirt import live_copy, quiescing
from computed.virt.libvirt.engine import LibvirtPart
from computed.virt.libvirt.signals import QEMU_TYPES
from computed.virt.libvirt.snapshot_rooms import HELD, SnapshotRooms
from computed.virt.libvirt.storage import disk_info
from computed.virt.port.snapshots import SnapshotPort, SnapshotTarget

if TYPE_CHECKING:
    from computed.virt.libvirt.guest import Guest
    from computed.virt.libvirt.storage.qemu_img import ImageInfo

LOG = logging.getLogger(__name__)

_CHUNK_BYTES: Final = 1 << 20
_RUNNING: Final = (PowerState.RUNNING, PowerState.PAUSED)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is snapshot and how: the root disk, its name in the guest, the format of the image."""

    guest: Guest
    disk: Path
    info: ImageInfo
    target_dev: str | None
    image_format: str
    power_state: int
    can_hold: bool
    must_hold: bool


class LibvirtSnapshots(LibvirtPart, SnapshotPort):
    """Live and cold snapshots, and holding guests still for those of their volumes."""

    def snapshot(self, context: Any, instance: Any, target: SnapshotTarget) -> None:
        order = self._order(instance)
        target.extracting()
        with self._rooms.room(instance.uuid) as room:
            image = room / "image"
            self._extract(order, room, image)
            LOG.info("Instance %s: its disk is copied, the upload begins", instance.uuid)
            target.upload(order.image_format, _chunks(image))

    def quiesce(self, context: Any, instance: Any, image_meta: Any) -> None:
        quiescing.require_quiescing(self._engine.options.virt_type, instance, image_meta)
        quiescing.freeze(self._engine.connection.guest(instance.uuid))

    def unquiesce(self, context: Any, instance: Any, image_meta: Any) -> None:
        quiescing.require_quiescing(self._engine.options.virt_type, instance, image_meta)
        quiescing.thaw(self._engine.connection.guest(instance.uuid))

    def watch_over_snapshots(self) -> None:
        """Tidy up after interrupted snapshots, now and whenever libvirt is there again; for init_host."""
        connection = self._engine.connection
        connection.each_time(lambda raw: connection.post(self._rooms.tidy))

    @cached_property
    def _rooms(self) -> SnapshotRooms:
        directory = Path(self._engine.conf.libvirt.snapshots_directory)
        return SnapshotRooms(directory, self._engine.connection)

    def _order(self, instance: Any) -> _Order:
        try:
            guest = self._engine.connection.guest(instance.uuid)
            power_state = guest.state().power_state
            domain = guest.domain()
        except errors.InstanceNotFound as error:
            raise errors.InstanceNotRunning(instance_id=instance.uuid) from error
        must = bool(instance.image_meta.properties.get("os_require_quiesce", False))
        paths = self._engine.paths(instance)
        disk = paths.disk()
        found = next((each for each in domain.disks if each.source and each.source.file == str(disk)), None)
        if found is not None and found.driver_type is not None:
            # For a guest of before there were records: its definition says what its disk is.
            disk_info.remember(paths.disk_info, disk, found.driver_type)
        info = self._engine.disks.info(paths, disk)
        return _Order(
            guest=guest,
            disk=disk,
            info=info,
            target_dev=found.target_dev if found else None,
            image_format=self._engine.conf.libvirt.snapshot_image_format or info.format,
            power_state=power_state,
            can_hold=self._can_hold(instance, must=must),
            must_hold=must,
        )

    def _can_hold(self, instance: Any, *, must: bool) -> bool:
        """Whether the guest can be held still; raises what `quiesce` raises if the image insists on it."""
        try:
            quiescing.require_quiescing(self._engine.options.virt_type, instance, instance.image_meta)
        except errors.NovaException:
            if must:
                raise
            return False
        return True

    def _extract(self, order: _Order, room: Path, image: Path) -> None:
        if self._is_live(order):
            try:
                self._extract_live(order, room, image)
                return
            except live_copy.GuestStopped:
                LOG.info("%r stopped during its snapshot, which goes on from its disk", order.guest)
        self._extract_cold(order, room, image)

    def _is_live(self, order: _Order) -> bool:
        """As the stock agent decides; a guest without a process is copied cold anyway."""
        conf = self._engine.conf
        return (
            self._engine.options.virt_type in QEMU_TYPES
            and order.target_dev is not None
            and order.power_state != PowerState.SHUTDOWN
            and not conf.workarounds.disable_libvirt_livesnapshot
            and not conf.ephemeral_storage_encryption.enabled
        )

    def _extract_live(self, order: _Order, room: Path, image: Path) -> None:
        assert order.target_dev is not None
        tool = self._engine.tool
        copy = room / "copy"
        live_copy.prepare(order.disk, order.info, copy, tool)
        still = quiescing.Stillness(order.can_hold, order.must_hold, room / HELD)
        with tool.disk_ops:
            live_copy.mirror(order.guest, order.target_dev, copy, still)
        self._convert(tool.info(copy, "qcow2"), copy, image, order.image_format)
        copy.unlink()

    def _extract_cold(self, order: _Order, room: Path, image: Path) -> None:
        # Containers cannot be put to sleep; they are copied as they run, as they always were.
        power_state = order.guest.state().power_state
        if power_state in _RUNNING and self._engine.options.virt_type in QEMU_TYPES:
            with self._rooms.asleep(order.guest, room, power_state):
                self._convert(order.info, order.disk, image, order.image_format)
        else:
            self._convert(order.info, order.disk, image, order.image_format)

    def _convert(self, info: ImageInfo, disk: Path, image: Path, image_format: str) -> None:
        compress = self._engine.conf.libvirt.snapshot_compression and image_format == "qcow2"
        self._engine.tool.convert(disk, info, image, image_format, compress=compress)


def _chunks(image: Path) -> Iterator[bytes]:
    with image.open("rb") as file:
        while chunk := offload(file.read, _CHUNK_BYTES):
            yield chunk
