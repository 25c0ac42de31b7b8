"""Accelerator requests of a cloud in one process, in memory, for tests; a real one-host cloud has none."""

from __future__ import annotations

import threading
import uuid as uuids
from collections.abc import Sequence
from typing import Any

from computed.embedded.answering import Answering


class EmbeddedAccelerators(Answering):
    """Implements clients.accelerators.AcceleratorService."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.Lock()
        self._requests: dict[str, dict[str, Any]] = {}

    def add(self, instance_uuid: str, state: str = "Bound") -> str:
        """Have an accelerator request of an instance; returns its id."""
        number, request_id = len(self._requests), str(uuids.uuid4())
        handle = {"domain": "0000", "bus": "0c", "device": str(number), "function": "0"}
        with self._guard:
            self._requests[request_id] = {
                "uuid": request_id,
                "instance_uuid": instance_uuid,
                "state": state,
                "device_profile_name": "fpga",
                "attach_handle_type": "PCI",
                "attach_handle_info": handle,
            }
        return request_id

    def set_state(self, request_id: str, state: str) -> None:
        """Let a request be in another state."""
        with self._guard:
            self._requests[request_id]["state"] = state

    def ids(self) -> list[str]:
        """Every request there is."""
        with self._guard:
            return list(self._requests)

    def requests_of(self, context: Any, instance_uuid: str) -> list[dict[str, Any]]:
        """Those of an instance."""
        self.asked("requests_of")
        with self._guard:
            found = self._requests.values()
            return [dict(request) for request in found if request["instance_uuid"] == instance_uuid]

    def delete_of(self, context: Any, instance_uuid: str) -> None:
        """Delete those of an instance."""
        self.asked("delete_of")
        with self._guard:
            kept = {k: v for k, v in self._requests.items() if v["instance_uuid"] != instance_uuid}
            self._requests = kept

    def delete(self, context: Any, request_uuids: Sequence[str]) -> None:
        """Delete some."""
        self.asked("delete")
        with self._guard:
            for request_id in request_uuids:
                self._requests.pop(request_id, None)
