"""One host among the real things: conductor, bus, placement and fake driver, and agents that come and go."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from oslo_config import cfg
from oslo_utils import uuidutils

from computed import errors, objects
from computed.clients.placement import PlacementClient
from computed.clients.serializer import WireSerializer
from computed.cmd import wiring
from computed.conf import register_all
from computed.context import get_admin_context
from computed.embedded.bus import MemoryBus
from computed.embedded.conductor.endpoint import ConductorEndpoint
from computed.embedded.conductor.server import ConductorServer
from computed.embedded.placement_app import placement_adapter, start_placement
from computed.embedded.store import Store
from computed.objects.base import ComputedObject
from computed.objects.network_model import NetworkInfo
from computed.service import Service
from computed.states import PowerState

HOST = "clockhost"
WAIT_SECONDS = 20


class Network:
    """A network service without ports: it only writes down what it is asked, and fails when told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.failure: Exception | None = None
        self.info = NetworkInfo()

    def deallocate(self, context: Any, instance: Any, *, requested: Any = None) -> None:
        self._note("deallocate", instance)

    def network_info(self, context: Any, instance: Any) -> Any:
        self._note("network_info", instance)
        return self.info

    def bind_to_host(self, context: Any, instance: Any, *, host: str) -> None:
        self._note("bind_to_host", instance)

    def _note(self, what: str, instance: Any) -> None:
        self.asked.append((what, instance.uuid))
        if self.failure is not None:
            raise self.failure


class Notifier:
    """Writes down what would be notified."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, str | None]] = []
        self.failure: Exception | None = None

    def instance(
        self, context: Any, instance: Any, action: str, phase: str | None = None, **more: Any
    ) -> None:
        self.told.append((instance.uuid, action, phase))
        if self.failure is not None:
            raise self.failure

    def exists(self, context: Any, instance: Any, **more: Any) -> None:
        self.instance(context, instance, "exists")

    def exception(self, *arguments: Any) -> None:
        self.told.append(("", "exception", None))


class Scheduler:
    """Writes down what the schedulers are told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, list[str]]] = []

    def update_instance_info(self, context: Any, instances: Any) -> None:
        self.told.append(("update", [instance.uuid for instance in instances]))

    def sync_instance_info(self, context: Any, uuids: list[str]) -> None:
        self.told.append(("sync", uuids))

    def delete_instance_info(self, context: Any, instance_uuid: str) -> None:
        self.told.append(("delete", [instance_uuid]))


class NoServers:
    """Nobody sends messages here: starting and stopping to listen for them would take a second each."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *arguments: None


class World:
    """Everything that outlives an agent. `start()` starts one; starting again is a restart after kill -9:
    the agent before it is never told to stop."""

    def __init__(self, folder: Path, empty_placement: Path) -> None:
        objects.register_all()
        errors.install_remote_module()
        self.conf = cfg.ConfigOpts()
        register_all(self.conf)
        self.conf([], project="nova", default_config_files=[], default_config_dirs=[])
        self.set(state_path=str(folder), host=HOST, compute_driver="fake.FakeDriver", periodic_enable=False)
        self.set(report_interval=0)
        self.bus = MemoryBus()
        self.transport = self.bus.rpc_transport(self.conf)
        self.store = Store()
        self.conductor = ConductorEndpoint(self.store, self._count)
        self.asked: Counter[str] = Counter()
        self.failures: dict[str, Exception] = {}
        self._server = ConductorServer(self.transport, "conductor", [self.conductor])
        self._server.start()
        serializer = WireSerializer()
        wiring.connect_objects(self.conf, self.transport, serializer)
        self._serializer = serializer
        database = folder / "placement.db"
        shutil.copy(empty_placement, database)
        app = start_placement(f"sqlite:///{database}", durable=False)
        self.placement_asked: list[str] = []
        adapter = placement_adapter(app, on_request=lambda *each: self.placement_asked.append(" ".join(each)))
        self.placement = PlacementClient(adapter)
        self.network, self.notifier, self.scheduler = Network(), Notifier(), Scheduler()
        self.context = get_admin_context()
        self._services: list[Service] = []
        self.host: Any = None

    def set(self, group: str | None = None, **options: Any) -> None:
        for name, value in options.items():
            self.conf.set_override(name, value, group=group)

    def _count(self, objname: str, method: str, proceed: Callable[[], Any]) -> Any:
        name = f"{objname}.{method}"
        self.asked[name] += 1
        if name in self.failures:
            raise self.failures[name]
        return proceed()

    def start(self) -> Any:
        """Start an agent and return its host; what it asked so far is not counted."""
        self.host = wiring.build_host(
            self.conf,
            self.transport,
            self._serializer,
            placement=self.placement,
            network=self.network,
            notifier=self.notifier,
            scheduler=self.scheduler,
            images=None,
        )
        parts = wiring.build_parts(self.host, self.transport, self._serializer, "threading")
        service = Service(replace(parts, servers=NoServers()))  # type: ignore[arg-type]
        self._services.append(service)
        service.start()
        return self.host

    def stop(self) -> None:
        for service in self._services:
            service.stop()
        self._server.stop()
        self.store.close()

    def forget_counts(self) -> None:
        self.asked.clear()
        self.placement_asked.clear()

    def run(self, task: Callable[[Any, Any], None]) -> None:
        """Run a periodic task the way the runner does, with everything that it started."""
        context = get_admin_context()
        task(self.host, context)
        assert self.host.lanes.wait_idle(WAIT_SECONDS), "a lane does not end"

    @contextmanager
    def counting(self) -> Iterator[Counter[str]]:
        self.forget_counts()
        yield self.asked

    # Records and guests

    def add(self, vm_state: str = "active", task_state: str | None = None, **fields: Any) -> Any:
        """A server of this host, with a guest in the power state `guest` (None: no guest)."""
        guest = fields.pop("guest", PowerState.RUNNING)
        flavor = objects.Flavor(
            id=1, name="m1.nano", flavorid="42", memory_mb=64, vcpus=1, root_gb=1, ephemeral_gb=0, swap=0
        )
        given = {
            "uuid": uuidutils.generate_uuid(),
            "vm_state": vm_state,
            "task_state": task_state,
            "power_state": int(guest) if guest is not None else int(PowerState.RUNNING),
            "project_id": "p",
            "user_id": "u",
            "host": HOST,
            "node": HOST,
            "display_name": "server",
            "memory_mb": 64,
            "vcpus": 1,
            "root_gb": 1,
            "ephemeral_gb": 0,
            **fields,
        }
        given = {name: value for name, value in given.items() if name not in ("deleted_at", "created_at")}
        if given["node"] is not None and "compute_id" not in given:
            given["compute_id"] = self.node_record()["id"]
        instance = objects.Instance(
            self.context, **given, flavor=flavor, old_flavor=None, new_flavor=None, system_metadata={}
        )
        instance.create()
        if guest is not None:
            self.set_guest(instance.uuid, guest)
        self.edit(instance.uuid, **{k: v for k, v in fields.items() if k in ("deleted_at", "created_at")})
        return instance

    def node_record(self) -> Any:
        with self.store.transaction() as records:
            return records.first("ComputeNode", host=HOST)

    def edit(self, uuid: str, **fields: Any) -> None:
        """Change a record behind everybody's back."""
        if not fields:
            return
        with self.store.transaction() as records:
            row = records.first("Instance", read_deleted="yes", uuid=uuid)
            records.update("Instance", row, fields)

    def record(self, instance: Any) -> Any:
        """The record now, as a mapping."""
        with self.store.transaction() as records:
            return records.first("Instance", read_deleted="yes", uuid=instance.uuid)

    def states(self, instance: Any) -> tuple[str, str | None, int]:
        row = self.record(instance)
        return row["vm_state"], row["task_state"], row["power_state"]

    def faults(self, instance: Any) -> list[str]:
        with self.store.transaction() as records:
            found = records.find("InstanceFault", read_deleted="yes", instance_uuid=instance.uuid)
            return [row["message"] for row in found]

    def actions(self, instance: Any) -> list[str]:
        with self.store.transaction() as records:
            found = records.find("InstanceAction", read_deleted="yes", instance_uuid=instance.uuid)
            return [row["action"] for row in found]

    def hold(self, instance: Any) -> None:
        """Let the instance hold something of the host in placement."""
        uuid = self.node_record()["uuid"]
        body = {
            "allocations": {uuid: {"resources": {"VCPU": 1, "MEMORY_MB": 64}}},
            "consumer_generation": None,
            "project_id": "p",
            "user_id": "u",
        }
        self.placement.put_allocations(self.context, instance.uuid, body)

    # The fake hypervisor, as it is found by the next agent or by the one that runs

    @property
    def _guest_folder(self) -> Path:
        return Path(self.conf.state_path) / "fake" / HOST

    def set_guest(self, uuid: str, power_state: int, **more: Any) -> None:
        guest = {"uuid": uuid, "name": uuid, "power_state": int(power_state), **more}
        self._guest_folder.mkdir(parents=True, exist_ok=True)
        (self._guest_folder / f"{uuid}.json").write_text(json.dumps(guest))
        if self.host is not None:
            self.host.driver._store.load()

    def guest(self, instance: Any) -> int | None:
        """The power state of the guest; None when there is none."""
        path = self._guest_folder / f"{instance.uuid}.json"
        if not path.exists():
            return None
        guest = json.loads(path.read_text())
        return guest["power_state"] if guest.get("defined", True) else None


def eventually(check: Callable[[], bool], seconds: float = WAIT_SECONDS) -> bool:
    """Whether `check` becomes true in time."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def own_conductor() -> Iterator[None]:
    """Whatever conductor the objects are connected to inside, they are not any more afterwards."""
    before = ComputedObject.indirection_api
    try:
        yield
    finally:
        ComputedObject.indirection_api = before
