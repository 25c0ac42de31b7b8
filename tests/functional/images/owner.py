"""The owner of servers: what the API writes down, and what it then sends, for verbs about images."""

from __future__ import annotations

from itertools import product
from typing import Any

from computed.context import RequestContext
from computed.embedded.conductor import actions
from computed.embedded.conductor.calls import ClassCall
from computed.embedded.flavors import find_flavor
from computed.embedded.servers import user_context
from tests.functional.cloud import HOST, Cloud
from tests.functional.control_plane import ControlPlane


class Told:
    """In place of the notifier: what was told, in order, with the states that were told."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str | None, str | None]] = []
        self.details: list[dict[str, Any]] = []

    def instance(
        self, context: Any, instance: Any, action: str, phase: str | None = None, **details: Any
    ) -> None:
        name = f"{action}.{phase}" if phase else action
        self.rows.append((name, instance.vm_state, instance.task_state))
        self.details.append(details)

    def exists(self, context: Any, instance: Any, **details: Any) -> None:
        self.instance(context, instance, "exists", **details)

    def exception(self, context: Any, error: Exception, name: str, arguments: Any) -> None:
        self.rows.append((f"exception {name}", type(error).__name__, None))
        self.details.append({})

    @property
    def names(self) -> list[str]:
        return [name for name, _, _ in self.rows]


class Owner:
    """Sends verbs to the agent of a cloud as the API would, and looks at what became of them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.images = cloud.embedded.images
        self.told = Told()
        self.plane = ControlPlane(cloud)
        for agent in cloud.agents.values():
            object.__setattr__(agent.host, "notifier", self.told)

    def server(self, **order: Any) -> str:
        """A running server; what was told of its birth is forgotten."""
        (uuid,) = self.cloud.boot(**order)
        self.told.rows.clear()
        self.told.details.clear()
        return uuid

    def image(self, uuid: str, **properties: str) -> str:
        """The image that the API makes before it asks for its contents."""
        known = {"image_type": "snapshot", "instance_uuid": uuid, **properties}
        made = self.images.made.create(f"image of {uuid}", properties=known)
        return str(made["id"])

    def begin(self, uuid: str, action: str, **fields: Any) -> RequestContext:
        """Write the action and the states; the context that the verb is to be sent with."""
        context = user_context()
        with self.cloud.embedded.store.transaction() as records:
            actions.action_start(ClassCall(context, records), uuid, action)
        self.cloud.set_fields(uuid, **fields)
        return context

    def cast(self, method: str, context: RequestContext, *, server: str = HOST, **arguments: Any) -> None:
        """Send a verb and wait until the agents have done everything."""
        self.cloud.rpc.cast(method, context=context, server=server, **arguments)
        self.settle()

    def settle(self) -> None:
        """Wait until everything that was sent has been done."""
        for server, topic in product(self.cloud.agents, ("compute", "compute-alt")):
            ping = {"topic": topic, "namespace": "baseapi", "version": "1.1", "arg": "settle"}
            self.cloud.rpc.call("ping", server=server, **ping)
        self.cloud.settle()

    def snapshot(self, uuid: str, image_id: str | None = None) -> str:
        """Have an image made of a server; its id."""
        image_id = image_id or self.image(uuid)
        context = self.begin(uuid, "createImage", task_state="image_snapshot_pending")
        self.cast("snapshot_instance", context, image_id=image_id, instance=self.cloud.instance(uuid))
        return image_id

    def backup(self, uuid: str, *, rotation: int, kind: str = "daily") -> str:
        """Have a backup made of a server; its id."""
        image_id = self.image(uuid, image_type="backup", backup_type=kind)
        context = self.begin(uuid, "createBackup", task_state="image_backup")
        instance = self.cloud.instance(uuid)
        more = {"backup_type": kind, "rotation": rotation}
        self.cast("backup_instance", context, image_id=image_id, instance=instance, **more)
        return image_id

    def shelving(self, uuid: str, **order: Any) -> tuple[RequestContext, dict[str, Any]]:
        """What the API writes down of a shelving, and the order that it sends; `order` changes that."""
        image_id = order.pop("image_id", None) or self.image(uuid)
        context = self.begin(uuid, "shelve", task_state="shelving")
        return context, {
            "instance": self.cloud.instance(uuid),
            "image_id": image_id,
            "clean_shutdown": True,
            "accel_uuids": [],
            **order,
        }

    def shelve(self, uuid: str, **order: Any) -> str:
        """Have a server shelved; the id of its image."""
        context, order = self.shelving(uuid, **order)
        self.cast("shelve_instance", context, **order)
        return str(order["image_id"])

    def offload(
        self, uuid: str, *, action: str = "shelveOffload", task_state: str = "shelving_offloading"
    ) -> None:
        """Have a server offloaded that is shelved, or with the action shelve one that lives on a volume."""
        context = self.begin(uuid, action, task_state=task_state)
        order = {"instance": self.cloud.instance(uuid), "clean_shutdown": True, "accel_uuids": []}
        self.cast("shelve_offload_instance", context, **order)

    def unshelving(self, uuid: str, host: str, **order: Any) -> tuple[RequestContext, dict[str, Any]]:
        """What API, conductor and scheduler write down of an unshelving, and the order that is sent."""
        row = self.cloud.row(uuid)
        context = self.begin(uuid, "unshelve", task_state="unshelving")
        self.plane.claim(uuid, host, find_flavor(self.plane.flavor_name(row)))
        image_id = row["system_metadata"].get("shelved_image_id")
        return context, {
            "server": host,
            "instance": self.cloud.instance(uuid),
            "image": self.images.find(image_id) if image_id else None,
            "filter_properties": {"limits": {}},
            "node": host,
            "request_spec": self.plane.request_spec(uuid),
            "accel_uuids": [],
            **order,
        }

    def unshelve(self, uuid: str, host: str = HOST, **order: Any) -> None:
        """Have an offloaded server unshelved on a host."""
        context, order = self.unshelving(uuid, host, **order)
        self.cast("unshelve_instance", context, **order)

    def port_hosts(self, uuid: str) -> list[str | None]:
        """Where the ports of a server are bound."""
        return [port.get("host") for port in self.cloud.rows("Port", instance_uuid=uuid)]

    def held_here(self, uuid: str, host: str = HOST) -> bool:
        """Whether the ledger of a host has a place for a server."""
        tracker = self.cloud.agents[host].host.tracker
        ledgers = [node.ledger for node in tracker._nodes]
        return any(key[0] == uuid for ledger in ledgers for key in ledger.entries())

    def states(self, uuid: str) -> tuple[str, str | None]:
        row = self.cloud.row(uuid)
        return row["vm_state"], row["task_state"]

    def status(self, image_id: str) -> str | None:
        """The status of an image, None when it is gone."""
        image = self.images.made.find(image_id)
        return image["status"] if image else None

    def fail(self, *rules: str, host: str = HOST) -> None:
        """Let the fake driver of a host fail."""
        self.cloud.agents[host].conf.set_override("fail", list(rules), group="fake")

    def guest(self, uuid: str, host: str = HOST) -> Any:
        """What the fake driver of a host remembers of a server, None when that is nothing."""
        return self.cloud.agents[host].host.driver._store.find(uuid)  # type: ignore[attr-defined]
