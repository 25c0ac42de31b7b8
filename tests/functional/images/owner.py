"""The owner of servers: what the API writes down, and what it then sends, for verbs about images."""

from __future__ import annotations

from typing import Any

from computed.context import RequestContext
from computed.embedded.conductor import actions
from computed.embedded.conductor.calls import ClassCall
from computed.embedded.servers import user_context
from tests.functional.cloud import Cloud


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
        object.__setattr__(cloud.host, "notifier", self.told)

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

    def cast(self, method: str, context: RequestContext, **arguments: Any) -> None:
        """Send a verb and wait until the agent has done everything."""
        self.cloud.rpc.cast(method, context=context, **arguments)
        self.settle()

    def settle(self) -> None:
        """Wait until everything that was sent has been done."""
        for topic in ("compute", "compute-alt"):
            self.cloud.rpc.call("ping", topic=topic, namespace="baseapi", version="1.1", arg="settle")
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

    def states(self, uuid: str) -> tuple[str, str | None]:
        row = self.cloud.row(uuid)
        return row["vm_state"], row["task_state"]

    def status(self, image_id: str) -> str | None:
        """The status of an image, None when it is gone."""
        image = self.images.made.find(image_id)
        return image["status"] if image else None

    def fail(self, *rules: str) -> None:
        """Let the fake driver fail."""
        self.cloud.conf.set_override("fail", list(rules), group="fake")

    def guest(self, uuid: str) -> Any:
        """What the fake driver remembers of a server, None when that is nothing."""
        return self.cloud.host.driver._store.find(uuid)  # type: ignore[attr-defined]
