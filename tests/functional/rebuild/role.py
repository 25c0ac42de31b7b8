"""The parts of nova-api and nova-conductor around rebuild and evacuate."""

from __future__ import annotations

import contextlib
from typing import Any

from computed import objects
from computed.embedded.conductor.primitives import list_envelope
from computed.embedded.flavors import find_flavor
from computed.embedded.servers import user_context
from computed.states import Action, MigrationStatus, MigrationType, TaskState
from tests.functional.cloud import Cloud
from tests.functional.control_plane import ControlPlane
from tests.functional.fleet import HOST


class RebuildRole(ControlPlane):
    """Rebuilds servers of a cloud, and evacuates them from one of its hosts to another."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.sent: list[tuple[Any, str, dict[str, Any]]] = []

    def rebuild(self, uuid: str, *, wait: bool = True, **more: Any) -> None:
        """Have a server rebuilt from its image, or as `more` says (arguments of the RPC)."""
        context = user_context()
        before = dict(self.cloud.row(uuid)["system_metadata"])
        self.begin(context, uuid, Action.REBUILD, TaskState.REBUILDING)
        image = self.image()["id"]
        arguments = {"image_ref": image, "orig_image_ref": image, "orig_sys_metadata": before, **more}
        self._cast(context, uuid, self.cloud.row(uuid)["host"], wait, **arguments)

    def evacuate(self, uuid: str, *, to: str = "second", wait: bool = True, **more: Any) -> str:
        """Have a server evacuated to a host; returns the uuid of the migration."""
        context = user_context()
        self.begin(context, uuid, Action.EVACUATE, TaskState.REBUILDING)
        migration = self.make_migration(
            uuid, MigrationType.EVACUATION, status=MigrationStatus.ACCEPTED, dest_compute=to
        )
        self.claim(uuid, to, find_flavor(self.flavor_name(self.cloud.row(uuid))), beside=True)
        arguments = {
            "recreate": True,
            "on_shared_storage": None,
            "migration": self.migration(migration, context),
            "scheduled_node": self.node(to)["hypervisor_hostname"],
            "limits": objects.SchedulerLimits(numa_topology=None, memory_mb=None, disk_gb=None, vcpu=None),
            "request_spec": self.request_spec(uuid),
            **more,
        }
        self._cast(context, uuid, to, wait, **arguments)
        return migration

    def again(self) -> None:
        """Send the last order once more, as it was."""
        context, host, arguments = self.sent[-1]
        # With an answer, so that its end can be waited for; whether it fails is for the test to see.
        with contextlib.suppress(Exception):
            self.cloud.rpc.call("rebuild_instance", context=context, version="6.2", server=host, **arguments)
        self.cloud.settle()

    def _cast(self, context: Any, uuid: str, host: str, wait: bool, **more: Any) -> None:
        arguments = {
            "instance": self.instance(uuid, context),
            "orig_image_ref": None,
            "image_ref": None,
            "injected_files": [],
            "new_pass": "new secret",
            "orig_sys_metadata": None,
            "bdms": self.bdms(uuid, context),
            "recreate": False,
            "on_shared_storage": False,
            "preserve_ephemeral": False,
            "migration": None,
            "scheduled_node": None,
            "limits": None,
            "request_spec": None,
            "accel_uuids": [],
            "reimage_boot_volume": False,
            "target_state": None,
            **more,
        }
        self.sent.append((context, host, arguments))
        self.cloud.rpc.cast("rebuild_instance", context=context, version="6.2", server=host, **arguments)
        if wait:
            self.rest(uuid)

    def bdms(self, uuid: str, context: Any) -> Any:
        """The block device mappings of a server, read without being counted."""
        rows = self.cloud.rows("BlockDeviceMapping", instance_uuid=uuid, deleted=0)
        listed = list_envelope("BlockDeviceMappingList", "BlockDeviceMapping", rows)
        return objects.BlockDeviceMappingList.obj_from_primitive(listed, context)

    # Looking

    def guest(self, uuid: str, host: str = HOST) -> Any:
        """What the fake hypervisor of a host remembers of a server; None: no guest (perhaps disks)."""
        guest = self.cloud.agents[host].host.driver._store.find(uuid)  # type: ignore[attr-defined]
        return guest if guest is not None and guest.defined else None

    def states(self, uuid: str) -> tuple[str, str | None, str | None]:
        """vm_state, task_state and host."""
        row = self.cloud.row(uuid)
        return row["vm_state"], row["task_state"], row["host"]

    def claims(self, host: str, uuid: str) -> int:
        """How many lines a host's ledger has for a server."""
        tracker = self.cloud.agents[host].host.tracker
        return sum(key[0] == uuid for node in tracker._nodes for key in node.ledger.entries())
