"""Replacing a volume of a server by another one, under the running guest."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from computed import errors, objects
from computed.steps import volume_release, volumes
from computed.steps.announce import announce
from computed.steps.block_devices import volume_spec
from computed.steps.patience import insistently, patiently
from computed.steps.volume_detach import with_encryption

if TYPE_CHECKING:
    from computed.clients.volumes import Volume
    from computed.context import RequestContext
    from computed.steps.host import ComputeHost

LOG = logging.getLogger(__name__)


def swap_volume(
    host: ComputeHost,
    context: RequestContext,
    *,
    old_volume_id: str,
    new_volume_id: str,
    instance: Any,
    new_attachment_id: str | None,
) -> None:
    """Copy the old volume to the new one and go on with that; ordered by a user, or by a migration in the
    volume service, which then keeps the old id for the new volume.

    On failure the old volume is in use as before and the new one is given back. An order that comes twice
    changes nothing.
    """
    Swap(host, context.elevated(), instance, (old_volume_id, new_volume_id), new_attachment_id).run()


class Swap:
    """One swap: its steps in order."""

    def __init__(
        self,
        host: ComputeHost,
        context: Any,
        instance: Any,
        volume_ids: tuple[str, str],
        new_attachment_id: str | None,
    ) -> None:
        self.host = host
        self.context = context
        self.instance = instance
        self.old_id, self.new_id = volume_ids
        self.attachment_id = new_attachment_id
        self.is_migration = False
        self.mappings: Sequence[Any] | None = None
        """The instance's; None while they are not known."""

    def run(self) -> None:
        """Swap; on failure put everything back. What the guest has already is not swapped again."""
        unread = self._read()
        if any(self.attachment_id and bdm.attachment_id == self.attachment_id for bdm in self.mappings or ()):
            LOG.info("Instance %s has volume %s already", self.instance.uuid, self.new_id)
            return
        self._announce("start")
        try:
            bdm = self._mapping_of_old(unread)
            old = self.host.volumes.get(self.context, self.old_id)
            self.is_migration = old.migration_status == "migrating"
            new = self.host.volumes.get(self.context, self.new_id)
            info = self._swap(bdm, old, new)
        except Exception as error:
            self._announce("error", exception=error)
            self._put_back()
            raise
        self._settle(bdm, info, new.size_gib if new.size_gib > old.size_gib else None)
        self._announce("end")

    def _read(self) -> Exception | None:
        """Learn what the instance has; what kept us from it, if anything did."""
        uuid, stopping = self.instance.uuid, self.host.stopping
        what = f"Block devices of instance {uuid}"

        def ask(is_repeated: bool) -> Any:
            return objects.BlockDeviceMappingList.get_by_instance_uuid(self.context, uuid)

        try:
            self.mappings = insistently(
                what,
                lambda: patiently(what, ask, stopping=stopping),
                stopping=stopping,
                final=(errors.ConductorUnavailable,),
            )
        except Exception as error:
            return error
        return None

    def _mapping_of_old(self, unread: Exception | None) -> Any:
        if unread is not None:
            raise unread
        found = next((bdm for bdm in self.mappings or () if bdm.volume_id == self.old_id), None)
        if found is None:
            raise errors.VolumeBDMNotFound(volume_id=self.old_id)
        return found

    def _swap(self, bdm: Any, old: Volume, new: Volume) -> dict[str, Any]:
        """Connect the new volume and have the guest changed over to it; its connection info."""
        host = self.host
        if self.attachment_id is None:
            raise errors.InvalidVolume(reason=f"volume {self.new_id} came without an attachment")
        if new.is_multiattach and not host.driver.capabilities["supports_multiattach"]:
            raise errors.MultiattachNotSupportedByVirtDriver(volume_id=new.id)
        connector = host.driver.volume_connector(self.instance)
        attachment = host.volumes.attachment_update(
            self.context, self.attachment_id, connector, bdm.device_name
        )
        info = {"serial": self.new_id, **attachment.connection_info}
        if new.is_multiattach:
            info["multiattach"] = True
        before = with_encryption(host, self.context, volume_spec(bdm))
        after = replace(before, volume_id=self.new_id, connection_info=info, encryption=None)
        size = new.size_gib if new.size_gib > old.size_gib else None
        found = host.driver.swap_volume(
            self.context,
            self.instance,
            before,
            with_encryption(host, self.context, after),
            new_size_gib=size,
        )
        return dict(found)

    def _put_back(self) -> None:
        """The old volume is in use again, the new one free; the service hears that its migration failed."""
        service, attachment_id = self.host.volumes, self.attachment_id
        self._try("stays detaching", lambda: service.roll_detaching(self.context, self.old_id))
        if self.mappings is None:
            # An order that comes twice may find the guest on it: to give it up would be to free what is used.
            LOG.error(
                "Volume %s stays reserved for instance %s, whose block devices could not be read: delete its "
                "attachment %s if the instance does not have it",
                self.new_id,
                self.instance.uuid,
                attachment_id,
            )
        elif attachment_id is not None:
            self._try("is not given up for", lambda: service.attachment_delete(self.context, attachment_id))
        if self.is_migration:
            self._try("is taken to be still migrating to", lambda: self._complete(error=True))

    def _complete(self, *, error: bool) -> str:
        return self.host.volumes.migrate_volume_completion(
            self.context, self.old_id, self.new_id, error=error
        )

    def _settle(self, bdm: Any, info: dict[str, Any], new_size_gib: int | None) -> None:
        """The guest has the new volume: from here on there is no way back, and the record follows."""
        saved_id, failure = self.new_id, self._complete_attachment()
        volume_release.leave(self.host, self.context, self.instance, (), [bdm.attachment_id])
        if self.is_migration:
            try:
                saved_id = self._finish_migration()
            except errors.NovaException as error:
                failure = failure or error
        info["serial"] = info["volume_id"] = saved_id
        if isinstance(info.get("data"), dict):
            info["data"] = {**info["data"], "volume_id": saved_id}
        bdm.connection_info = json.dumps(info)
        bdm.source_type = bdm.destination_type = "volume"
        bdm.snapshot_id = None
        bdm.volume_id = saved_id
        bdm.no_device = False
        bdm.attachment_id = self.attachment_id
        if new_size_gib is not None:
            bdm.volume_size = new_size_gib
        insistently(
            f"Saving volume {saved_id} of instance {self.instance.uuid}",
            lambda: volumes.save(self.host, bdm),
            stopping=self.host.stopping,
        )
        if failure is not None:
            self._announce("error", exception=failure)
            raise failure

    def _finish_migration(self) -> str:
        """The id by which the volume service knows the new volume from now on.

        It may fail after it has changed the ids: of a record that names the new one, nobody would find the
        volume again.
        """
        try:
            return self._complete(error=False)
        except errors.NovaException as error:
            if not self._has_migrated():
                raise
            LOG.warning("Volume %s has migrated, though its service answered: %s", self.old_id, error)
            return self.old_id

    def _has_migrated(self) -> bool:
        try:
            return self.host.volumes.get(self.context, self.old_id).migration_status == "success"
        except errors.NovaException as error:
            LOG.warning("Whether volume %s has migrated is not known: %s", self.old_id, error)
            return False

    def _complete_attachment(self) -> Exception | None:
        """Say that the guest has the new volume; what kept us from it, if anything did."""
        attachment_id = str(self.attachment_id)
        try:
            insistently(
                f"Attachment {attachment_id}",
                lambda: self.host.volumes.attachment_complete(self.context, attachment_id),
                stopping=self.host.stopping,
            )
        except errors.NovaException as error:
            return error
        return None

    def _try(self, complaint: str, deed: Any) -> None:
        try:
            deed()
        except errors.NovaException as error:
            LOG.warning("Volume %s %s volume %s: %s", self.old_id, complaint, self.new_id, error)

    def _announce(self, phase: str, **details: Any) -> None:
        told = {"old_volume_id": self.old_id, "new_volume_id": self.new_id}
        announce(self.host, self.context, self.instance, "volume_swap", phase, payload=told, **details)
