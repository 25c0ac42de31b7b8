"""What is recorded in a functional cloud, read and changed without asking its conductor."""

from __future__ import annotations

from typing import Any

from computed import objects
from computed.embedded.cloud import OneHostCloud
from computed.embedded.launch import instance_of_record
from computed.embedded.servers import user_context


class Records:
    """The part of a Cloud that looks into its store."""

    embedded: OneHostCloud

    def row(self, uuid: str) -> dict[str, Any]:
        """The record of a server, deleted ones too."""
        return self.rows("Instance", uuid=uuid)[0]

    def rows(self, kind: str, **keys: Any) -> list[dict[str, Any]]:
        """Records of a kind, deleted ones too."""
        with self.embedded.store.transaction() as records:
            return records.find(kind, read_deleted="yes", **keys)

    def uuids(self) -> list[str]:
        """Servers that are not deleted."""
        return [row["uuid"] for row in self.embedded.servers.rows()]

    def instance(self, uuid: str) -> Any:
        """A server as the object that a caller of the agent sends; read without asking the conductor."""
        with self.embedded.store.transaction() as records:
            return objects.Instance.obj_from_primitive(instance_of_record(records, uuid), user_context())

    def set_fields(self, uuid: str, **fields: Any) -> None:
        """Change the record of a server behind everybody's back."""
        with self.embedded.store.transaction() as records:
            row = records.first("Instance", read_deleted="yes", uuid=uuid)
            assert row is not None
            records.update("Instance", row, fields)

    def faults(self, uuid: str) -> list[str]:
        """The messages of a server's faults, oldest first."""
        return [row["message"] for row in self.rows("InstanceFault", instance_uuid=uuid)]

    def events(self, uuid: str) -> list[tuple[str, str | None]]:
        """(event, result) of everything that was recorded of a server's actions, oldest first."""
        actions = [row["id"] for row in self.rows("InstanceAction", instance_uuid=uuid)]
        return [(row["event"], row["result"]) for row in self.rows("InstanceActionEvent", action_id=actions)]

    def allocations(self, uuid: str) -> dict[str, Any]:
        """What placement holds for a server: provider → resources; not counted."""
        answer = self.embedded.scheduler.allocations(user_context(), uuid)
        return {provider: said["resources"] for provider, said in answer.items()}
