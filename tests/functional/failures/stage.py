"""Where the failures are played: a cloud of two hosts, the roles of its control plane, and its rules."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from unittest.mock import patch

from computed import errors
from computed.embedded.flavors import find_flavor
from computed.embedded.servers import user_context
from computed.states import MigrationStatus
from tests.functional.cloud import HOST, PATIENCE_SECONDS, Cloud
from tests.functional.conductor_role import ConductorRole
from tests.functional.failures.remotes import Answer, Remotes
from tests.functional.failures.rules import Rules
from tests.functional.images.owner import Owner
from tests.functional.rebuild.role import RebuildRole

SECOND: Final = "second"


class Stage(Rules):
    """Sends verbs, and knows what must be so whatever went wrong."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.owner = Owner(cloud)
        self.rebuilder = RebuildRole(cloud)
        self.mover = ConductorRole(cloud)
        self.remotes = Remotes(cloud)
        self.is_host_lost = False
        """Whether the first host has broken in the play that runs."""

    # What is done

    def boot(self, *, disk: Mapping[str, Any] | None = None, **order: Any) -> str:
        """Order a server with a volume, a given one beside its root disk unless `disk` says otherwise, and
        wait for the end of it, whatever that is."""
        if disk is None:
            disk = {"source_type": "volume", "volume_id": self.cloud.embedded.volumes.add(), "boot_index": -1}
        (uuid,) = self.cloud.boot(wait=False, host=HOST, volumes=[disk], **order)
        # A build that goes back to the conductor is in nobody's hands for a moment.
        self.rest(uuid)
        return uuid

    def accelerated_flavor(self) -> Any:
        """A flavor that asks for an accelerator."""
        flavor = find_flavor("m1.nano")
        flavor.extra_specs = {"accel:device_profile": "fpga"}
        return flavor

    @contextlib.contextmanager
    def accelerating(self) -> Iterator[None]:
        """What is built meanwhile gets an accelerator, as a conductor sees to it."""
        computes = self.cloud.embedded.servers._launcher._computes
        cast = computes.cast

        def with_accelerator(context: Any, host: str, method: str, **arguments: Any) -> None:
            if method == "build_and_run_instance":
                uuid = arguments["instance"]["nova_object.data"]["uuid"]
                arguments["accel_uuids"] = [self.cloud.embedded.accelerators.add(uuid)]
            cast(context, host, method, **arguments)

        with patch.object(computes, "cast", with_accelerator):
            yield

    def forget_shares(self) -> None:
        """There are no shares any more: only verbs on shares are to ask for them."""
        self.cloud.embedded.shares._rules.clear()
        with self.cloud.embedded.store.transaction() as records:
            records.purge("ShareMapping")

    def send(self, uuid: str, method: str, task_state: str | None, **arguments: Any) -> None:
        """Cast a verb as the API does, and wait for its end."""
        context = self.owner.begin(uuid, method, task_state=task_state)
        host = self.cloud.row(uuid)["host"]
        given = {"instance": self.cloud.instance(uuid), **arguments}
        self.owner.cast(method, context, server=host, **given)

    def ask(self, uuid: str, method: str, **arguments: Any) -> Any:
        """Call a verb as the API does; its answer, be it an error."""
        context = self.owner.begin(uuid, method)
        given = {"instance": self.cloud.instance(uuid), **arguments}
        return self.cloud.rpc.call(method, context=context, server=self.cloud.row(uuid)["host"], **given)

    def attach_volume(self, uuid: str) -> None:
        """Have one more volume attached; what the API does by itself it takes back when it is refused."""
        volumes, context = self.cloud.embedded.volumes, user_context()
        volume_id = volumes.add()
        asked = {"device": None, "disk_bus": None, "device_type": None, "tag": None, "multiattach": False}
        bdm = self.ask(uuid, "reserve_block_device_name", volume_id=volume_id, **asked)
        bdm.attachment_id = volumes.attachment_create(context, volume_id, uuid).id
        with self.cloud.embedded.store.transaction() as records:
            row = records.first("BlockDeviceMapping", uuid=bdm.uuid)
            assert row is not None
            records.update("BlockDeviceMapping", row, {"attachment_id": bdm.attachment_id})
        bdm.obj_reset_changes()
        try:
            self.send(uuid, "attach_volume", None, bdm=bdm)
        except errors.NovaException:
            volumes.attachment_delete(context, bdm.attachment_id)
            raise

    def detach_volume(self, uuid: str) -> None:
        """Have the server's volume detached."""
        (bdm,) = [
            row
            for row in self.cloud.rows("BlockDeviceMapping", instance_uuid=uuid)
            if row["volume_id"] and not row["deleted"]
        ]
        self.cloud.embedded.volumes.begin_detaching(user_context(), bdm["volume_id"])
        wanted = {"volume_id": bdm["volume_id"], "attachment_id": bdm["attachment_id"]}
        self.send(uuid, "detach_volume", None, **wanted)

    def delete(self, uuid: str) -> None:
        """Have the server deleted through the API, and wait for the end of it; not when it is gone."""
        statuses = [move["status"] for move in self.mover.migrations(uuid)]
        if self.row(uuid)["vm_state"] == "resized" and MigrationStatus.FINISHED in statuses:
            # The API has the resize confirmed before.
            self.mover.confirm(uuid, wait=False)
            self.rest(uuid)
        self.begin_deletion(uuid)
        self.owner.settle()

    def lose_host(self, uuid: str) -> None:
        """The first host breaks and comes back empty."""
        agent = self.cloud.agents[HOST]
        agent.host.driver._store.remove(uuid, keep_disks=False)  # type: ignore[attr-defined]
        agent.host.tracker.release(self.cloud.instance(uuid))

    def rest(self, uuid: str) -> None:
        """Wait until nothing is done to the server any more, be it in threads that no message waits for; what
        never ends is for the rules to find."""
        end = time.monotonic() + PATIENCE_SECONDS
        self.owner.settle()
        while self.is_busy(uuid) and time.monotonic() < end:
            time.sleep(0.02)
        self.owner.settle()

    def is_busy(self, uuid: str) -> bool:
        """Whether something is done to the server, or moves it."""
        row = self.row(uuid)
        return not row["deleted"] and (row["task_state"] is not None or bool(self._migrations(uuid, row)))

    def begin_deletion(self, uuid: str) -> None:
        """Have the server deleted through the API; returns at once."""
        has_host = self.row(uuid)["host"] is not None
        with contextlib.suppress(errors.InstanceNotFound):
            self.cloud.embedded.servers.delete(user_context(), uuid)
        if not has_host:
            # Nor is there anybody else to give its volumes back.
            for attachment in self.attachments(uuid):
                self.cloud.embedded.volumes.attachment_delete(user_context(), attachment)

    def lose_shares(self, answer: Answer) -> Any:
        """Somebody deletes the share, and with it who may use it, before it is asked for."""
        self.cloud.embedded.shares._rules = {"another": []}
        return answer()

    def lose_images(self, answer: Answer) -> Any:
        """Somebody deletes every image before one is asked for."""
        for image in self.owner.images.made.all_images():
            self.owner.images.made.delete(image["id"])
        return answer()
