"""A conductor on a bus in memory, and a caller that sends what a compute would send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oslo_messaging as messaging
import pytest
from oslo_config import cfg

from computed import errors, objects
from computed.context import RequestContext, get_admin_context
from computed.embedded.bus import MemoryBus
from computed.embedded.conductor.endpoint import ConductorEndpoint
from computed.embedded.conductor.server import ConductorServer, EnvelopeSerializer
from computed.embedded.store import Store
from computed.objects.remote import manifest_of

objects.register_all()
errors.install_remote_module()


@dataclass
class Caller:
    """Calls the conductor over the bus."""

    client: Any
    context: RequestContext
    endpoint: ConductorEndpoint
    store: Store
    bus: MemoryBus

    def ask(self, objname: str, method: str, *args: Any, versions: Any = None, **kwargs: Any) -> Any:
        """A class method."""
        return self.client.call(
            self.context,
            "object_class_action_versions",
            objname=objname,
            objmethod=method,
            object_versions=versions or manifest_of(objname),
            args=args,
            kwargs=kwargs,
        )

    def act(self, obj: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        """A method on an object; the object takes the updates over, as in the agent."""
        updates, result = self.client.call(
            self.context,
            "object_action",
            objinst=obj.obj_to_primitive(),
            objmethod=method,
            args=args,
            kwargs=kwargs,
        )
        left = updates.pop("obj_what_changed")
        for name, value in updates.items():
            field = obj.fields[name]
            plain = field.from_primitive(obj, name, value)
            obj._obj_unset = None
            setattr(obj, f"_obj_{name}", field.coerce(obj, name, plain))
        obj.obj_reset_changes()
        obj._changed_fields = set(left)
        return result


@pytest.fixture
def caller(tmp_path: Path) -> Iterator[Caller]:
    bus = MemoryBus()
    conf = cfg.ConfigOpts()
    transport = bus.rpc_transport(conf)
    store = Store(tmp_path / "store.db", durable=False)
    endpoint = ConductorEndpoint(store)
    server = ConductorServer(transport, "here", [endpoint])
    server.start()
    client = messaging.get_rpc_client(
        transport,
        messaging.Target(topic="conductor", version="3.0"),
        serializer=EnvelopeSerializer(),
        timeout=5,
    )
    yield Caller(client, get_admin_context(), endpoint, store, bus)
    server.stop()
    store.close()
